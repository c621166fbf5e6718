"""One URL on an idle server: from the POST to the batch that reads completed, beyond the origin's own time.

`python -m bench.latency [--times 30] [--delay 0.05]`. Every URL is on a host of its own that the server has not seen, so
robots.txt is asked for and a connection is made each time: the slowest case. The same hosts once more: the usual one.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bench import origin, server

_POLL = 0.002  # seconds: what the measuring adds at most, beside a status read


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=30, help=f"at most {len(origin.ADDRESSES)}")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds that the origin takes for a page")
    wanted = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="thresher-bench-") as folder,
        origin.running(None, delay=wanted.delay) as (_, port),
        server.running(Path(folder) / "data") as running,
    ):
        for what in ("a host never seen", "a host seen before"):
            taken = [_once(running, url, wanted.delay) - wanted.delay for url in origin.urls(port, wanted.times)]
            print(
                f"{what}: p50 {statistics.median(taken) * 1000:.0f} ms, max {max(taken) * 1000:.0f} ms over the origin's own time"
            )


def _once(running: server.Server, url: str, delay: float) -> float:
    """Seconds from the POST to completed. Asking begins when the origin may have answered: before, it would only disturb."""
    begun = time.perf_counter()
    batch = running.create([url])
    time.sleep(max(0.0, begun + delay - time.perf_counter()))
    info = running.until_completed(batch, _POLL)
    taken = time.perf_counter() - begun
    if info["outcome"] != "all_ok":
        raise RuntimeError(f"{url}: {info['outcome']}")
    return taken


if __name__ == "__main__":
    main()
