"""A `thresher serve` on a fresh data dir, and what a client of its HTTP API does with it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil

KEY = "thr_benchmark"
_POLL = 0.1  # seconds; a status read costs the server a millisecond
_START = 60.0

# The word in a command line, and the kind of process that it tells.
_KINDS = {"convert.child": "converter", "main work": "worker", "main api": "api", "main serve": "serve"}


class Server:
    """The HTTP API of a running server."""

    def __init__(self, pid: int, data_dir: Path, http: httpx.Client) -> None:
        self.pid, self.data_dir, self.http = pid, data_dir, http

    def create(self, urls: list[str]) -> str:
        """A batch's id."""
        items = [{"url": url, "custom_id": f"{n:07}"} for n, url in enumerate(urls)]
        answer = self.http.post("/v1/batches", json={"items": items})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def open(self) -> str:
        """The id of a batch that is filled by `append` and begun by `start`."""
        answer = self.http.post("/v1/batches", json={"open": True})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def append(self, batch: str, urls: list[str]) -> None:
        """In one request of lines, however many."""
        lines = (orjson.dumps({"url": url, "custom_id": f"{n:07}"}) + b"\n" for n, url in enumerate(urls))
        headers = {"Content-Type": "application/x-ndjson"}
        self.http.post(f"/v1/batches/{batch}/items", content=lines, headers=headers).raise_for_status()

    def start(self, batch: str) -> None:
        self.http.post(f"/v1/batches/{batch}/start").raise_for_status()

    def info(self, batch: str) -> dict[str, Any]:
        answer = self.http.get(f"/v1/batches/{batch}")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def until_completed(self, batch: str, poll: float = _POLL) -> dict[str, Any]:
        """The batch, once it is over."""
        while (info := self.info(batch))["status"] != "completed":
            time.sleep(poll)
        return info

    def markdown(self, batch: str) -> dict[str, str]:
        """URL to markdown, of everything that the batch has."""
        with self.http.stream("GET", f"/v1/batches/{batch}/export", params={"formats": "markdown"}) as answer:
            answer.raise_for_status()
            return {line["url"]: line["markdown"] or "" for line in map(orjson.loads, answer.iter_lines())}

    def stored(self) -> int:
        """Bytes of all packs."""
        return sum(path.stat().st_size for path in (self.data_dir / "blobs").rglob("*") if path.is_file())


@contextlib.contextmanager
def running(data_dir: Path) -> Iterator[Server]:
    """A server with default options that may fetch from loopback, ready, while the block runs. Its log goes to DATA_DIR/log."""
    allowed = {"THRESHER_BOOTSTRAP_KEY": KEY, "THRESHER_FETCH_ALLOW": "127.0.0.0/8"}
    command = [sys.executable, "-m", "thresher.cli.main", "serve", "--port", "0", "--data-dir", str(data_dir)]
    data_dir.mkdir(mode=0o700, parents=True)
    with (data_dir.parent / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | allowed, stderr=log)
    try:
        url = _until_ready(process, data_dir / "server.json")
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=120) as http:
            yield Server(process.pid, data_dir, http)
    finally:
        process.terminate()
        process.wait()


def kind_of(process: psutil.Process) -> str:
    """api, worker, converter, serve or postgresql."""
    line = " ".join(process.cmdline())
    return next((kind for word, kind in _KINDS.items() if word in line), "postgresql")


def _until_ready(process: "subprocess.Popen[bytes]", runfile: Path) -> str:
    """Its URL, once it answers and its workers listen."""
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(FileNotFoundError, httpx.TransportError, psutil.NoSuchProcess):
            url = str(json.loads(runfile.read_text())["url"])
            children = [kind_of(child) for child in psutil.Process(process.pid).children(recursive=True)]
            if httpx.get(f"{url}/readyz").status_code == 200 and children.count("converter") == os.cpu_count():
                return url
        time.sleep(0.05)
    raise RuntimeError(f"thresher serve is not ready; see {runfile.parent.parent / 'serve.log'}")
