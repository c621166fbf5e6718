"""Who is compared: each takes the same URLs in a fresh folder, from a cold start, and proves that it has every result."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench import laps, peer, prototype, server
from bench.meter import Meter, Usage

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant's run. `seconds` of the job alone; `stored` in bytes; `laps`: ms of the converter, by step, of all pages."""

    seconds: float
    usage: Usage
    stored: int
    laps: dict[str, float] = field(default_factory=dict)


Contestant = Callable[[list[str], Path], Run]


class Incomplete(Exception):
    """A contestant has not produced every result."""


def thresher(urls: list[str], folder: Path) -> Run:
    """Through the HTTP API of a server that runs already: from the POST to the batch that reads completed."""
    with server.running(folder / "data") as running:
        meter = Meter(running.pid, server.kind_of)
        with meter.sampling():
            begun = time.perf_counter()
            batch = running.create(urls)
            info = running.until_completed(batch)
            seconds = time.perf_counter() - begun
        usage = meter.usage()
        if info["outcome"] != "all_ok":
            raise Incomplete(f"thresher: {info['counts']}")
        _check("thresher", urls, running.markdown(batch))
        return Run(seconds, usage, running.stored(), laps.of_packs(running.data_dir / "blobs"))


def scrapy(urls: list[str], folder: Path) -> Run:
    run = _peer([PEERS, ROOT / "bench" / "scrapy_peer.py"], urls, folder)
    lines = map(orjson.loads, (folder / "pages.jsonl").read_bytes().splitlines())
    _check("scrapy", urls, {line["url"]: line["markdown"] for line in lines})
    return run


def ceiling(urls: list[str], folder: Path) -> Run:
    run = _peer([sys.executable, "-m", "bench.prototype"], urls, folder)
    _check("prototype", urls, prototype.read(folder))
    return run


def _peer(command: list[str | Path], urls: list[str], folder: Path) -> Run:
    todo = folder.with_suffix(".urls")
    todo.write_text("\n".join(urls))
    with peer.running([*command, todo, folder]) as process:
        meter = Meter(process.pid, lambda _: "all")
        with meter.sampling():
            begun = time.perf_counter()
            process.work()
            seconds = time.perf_counter() - begun
        usage = meter.usage()
    return Run(seconds, usage, sum(file.stat().st_size for file in folder.iterdir()))


def _check(name: str, urls: list[str], found: dict[str, str]) -> None:
    missing = [url for url in urls if not found.get(url, "").strip()]
    if missing or len(found) != len(urls):
        raise Incomplete(f"{name}: {len(found)} of {len(urls)} results, {len(missing)} without markdown: {missing[:3]}")
