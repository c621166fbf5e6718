"""The benchmark: Thresher, Scrapy and the bare prototype take the same URLs in turns. `make bench` runs it.

`python -m bench.compare [--corpus DIR] [--urls 2000] [--rounds 3] [--only NAME,...]`
"""

import argparse
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

import psutil

from bench import contestants, origin
from bench.contestants import Contestant, Run

CONTESTANTS: dict[str, Contestant] = {
    "thresher": contestants.thresher,
    "scrapy": contestants.scrapy,
    "prototype": contestants.ceiling,
}
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path, help="folder of pages; else they are made")
    parser.add_argument("--urls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="contestants, with commas")
    wanted = parser.parse_args()
    runs: dict[str, list[Run]] = defaultdict(list)
    with origin.running(wanted.corpus) as (pid, port):
        for number in range(1, wanted.rounds + 1):
            for name in wanted.only.split(","):
                run = _one(CONTESTANTS[name], origin.urls(port, wanted.urls), pid)
                runs[name].append(run)
                foreign = f"{_foreign(run):.0%} of the machine went to others"
                print(f"round {number}: {name} {wanted.urls / run.seconds:.1f} URLs/s; {foreign}", flush=True)
    for name, mine in runs.items():
        report(name, mine, wanted.urls)
    print(f"\nby CPU: {by_cpu({name: _cpu_median(mine) for name, mine in runs.items()})}")
    print(ratios({name: statistics.median(run.seconds for run in mine) for name, mine in runs.items()}))


def _one(contestant: Contestant, urls: list[str], origin_pid: int) -> Run:
    before = _cpu(origin_pid)
    with tempfile.TemporaryDirectory(prefix="thresher-bench-") as folder:
        run = contestant(urls, Path(folder))
    run.usage.cpu["(origin)"] = _cpu(origin_pid) - before
    return run


def _foreign(run: Run) -> float:
    """The share of the machine that neither the contestant nor the origin used: beyond a few percent, rates mean little."""
    return max(0.0, run.usage.busy - sum(run.usage.cpu.values())) / (run.seconds * (psutil.cpu_count() or 1))


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def report(name: str, runs: list[Run], count: int) -> None:
    """The medians of a contestant's rounds, in prose that lines up."""
    speed = statistics.median(count / run.seconds for run in runs)
    peak = max(run.usage.peak for run in runs)
    print(f"\n{name}: {speed:.0f} URLs/s, memory at most {peak / MIB:.0f} MiB, stored {runs[-1].stored / MIB:.1f} MiB")
    print("  CPU seconds per 1,000 URLs: " + _shares([run.usage.cpu for run in runs], 1000 / count))
    if runs[0].laps:
        print("  of the converter's, ms a page by its own clock: " + _shares([run.laps for run in runs], 1 / count))


def _shares(parts: list[dict[str, float]], scale: float) -> str:
    found = {key: statistics.median(part.get(key, 0.0) for part in parts) * scale for key in parts[0]}
    total = sum(value for key, value in found.items() if not key.startswith("("))
    return ", ".join(f"{key} {value:.2f}" for key, value in found.items()) + f"; together {total:.2f}"


def _cpu_median(runs: list[Run]) -> float:
    return statistics.median(sum(s for kind, s in run.usage.cpu.items() if not kind.startswith("(")) for run in runs)


def by_cpu(seconds: dict[str, float]) -> str:
    """What the CPU seconds alone say, whoever else used the machine meanwhile. Scrapy runs on one core."""
    mine = seconds.get("thresher")
    others = {name: cpu / mine for name, cpu in seconds.items() if name != "thresher"} if mine else {}
    return ", ".join(f"{name} takes {times:.2f} times as much a URL" for name, times in others.items()) or "-"


def ratios(seconds: dict[str, float]) -> str:
    """The last line. What was not run has no ratio."""
    mine = seconds.get("thresher")
    to_scrapy = f"{seconds['scrapy'] / mine:.2f}" if mine and "scrapy" in seconds else "-"
    share = f"{seconds['prototype'] / mine:.0%}" if mine and "prototype" in seconds else "-"
    return f"ratio to scrapy: {to_scrapy}, share of ceiling: {share}"


if __name__ == "__main__":
    main()
