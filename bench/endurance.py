"""One batch of 100,000 URLs on an origin of small pages: speed, CPU and memory over its life, and a picture of them.

`python -m bench.endurance [--urls 100000] [--every 5] [--picture docs/endurance.svg]`. Small pages, because what is
looked for is what grows with the number of items, not with their size.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import origin, picture, server
from bench.meter import Meter
from bench.picture import Panel, Sample

_MEDIAN = 1000  # made pages of this comes to some 4 KB of HTML


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--urls", type=int, default=100_000)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between samples")
    parser.add_argument("--picture", type=Path, help="write an SVG here")
    wanted = parser.parse_args()
    samples: list[Sample] = []
    with (
        tempfile.TemporaryDirectory(prefix="thresher-bench-") as folder,
        origin.running(None, median=_MEDIAN) as (_, port),
        server.running(Path(folder) / "data") as running,
    ):
        batch = _submit(running, origin.urls(port, wanted.urls))
        for sample in _watched(running, batch, wanted.every):
            samples.append(sample)
            memory = ", ".join(f"{kind} {mib:.0f}" for kind, mib in sample.memory.items())
            print(f"{sample.seconds:6.0f} s  {sample.finished:7} finished  MiB: {memory}", flush=True)
        counts = running.info(batch)["counts"]
    if counts["completed"] != wanted.urls:
        raise SystemExit(f"not everything was completed: {counts}")
    panels = picture.panels(samples)
    _report(panels)
    if wanted.picture:
        wanted.picture.write_text(picture.svg(f"One batch of {wanted.urls:,} URLs", panels))


def _submit(running: server.Server, urls: list[str]) -> str:
    """An open batch, appended to and started. Returns its id."""
    begun = time.perf_counter()
    batch = running.open()
    running.append(batch, urls)
    appended = time.perf_counter()
    running.start(batch)
    print(f"appended in {appended - begun:.1f} s, started in {time.perf_counter() - appended:.1f} s")
    return batch


def _watched(running: server.Server, batch: str, every: float) -> Iterator[Sample]:
    """A sample now, one after every so many seconds, and the last one at the end."""
    meter = Meter(running.pid, server.kind_of)
    begun = time.perf_counter()
    while True:
        info = running.info(batch)
        usage = meter.usage()
        finished = info["counts"]["completed"] + info["counts"]["failed"]
        memory = {kind: size / 2**20 for kind, size in sorted(usage.memory.items())}
        yield Sample(time.perf_counter() - begun, finished, usage.cpu, memory)
        if info["status"] == "completed":
            return
        time.sleep(every)


def _report(panels: list[Panel]) -> None:
    """The first and the last quarter of each curve, side by side."""
    for panel in panels:
        for name, points in panel.curves.items():
            quarter = max(1, len(points) // 4)
            early = sum(y for _, y in points[:quarter]) / quarter
            late = sum(y for _, y in points[-quarter:]) / quarter
            print(f"{panel.title}, {name}: first quarter {early:.2f}, last quarter {late:.2f}")


if __name__ == "__main__":
    main()
