"""How long a batch will take: as long as its slowest host, or as long as the server needs for all of it. Pure.

Nothing is guessed: where a number was never measured, there is no estimate, and a reason. Times are in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

NO_PACE = "No batch has finished lately that would be a measure of the pace."
NO_FILE = "What it takes to convert files is not measured."
NO_PAGE = "No page was fetched lately that would be a measure of the time of one."


@dataclass(frozen=True, slots=True)
class Lane:
    """A host: `urls` of the batch and `before` of others to be fetched there, not before `wait`, `interval` apart.

    `page`: what one takes there, if it was measured; None: as long as one of any host.
    """

    host: str
    urls: int
    before: int = 0
    wait: float = 0.0
    interval: float = 0.0
    page: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """What was measured lately: items finished a second, and the seconds that one page took on average."""

    rate: float
    page: float | None


@dataclass(frozen=True, slots=True)
class Duration:
    """`seconds` is None where `reason` says why. The parts: the host that takes longest, and the server, with all the `urls`."""

    urls: int
    seconds: float | None = 0.0
    reason: str | None = None
    slowest: tuple[Lane, float] | None = None
    server: float | None = 0.0


def duration(lanes: Sequence[Lane], ahead: int, pace: Pace | None, connections: int, files: int = 0) -> Duration:
    """How long it takes to fetch what the lanes want, and to convert so many files, when the server has `ahead` items of others before the last of it.

    `connections`: how many requests a host is given at a time.
    """
    lanes = [lane for lane in lanes if lane.urls]
    urls = sum(lane.urls for lane in lanes)
    if not urls:
        return Duration(0, None, NO_FILE, None, None) if files else Duration(0)
    times = [(lane, _seconds(lane, lane.page or (pace.page if pace else None), connections)) for lane in lanes]
    known = [(lane, seconds) for lane, seconds in times if seconds is not None]
    slowest = max(known, key=lambda pair: pair[1], default=None)
    if pace is None:
        return Duration(urls, None, NO_PACE, slowest, None)
    server = (ahead + urls) / pace.rate
    if files:
        return Duration(urls, None, NO_FILE, slowest, None)
    if slowest is None or len(known) < len(times):
        return Duration(urls, None, NO_PAGE, slowest, server)
    return Duration(urls, max(slowest[1], server), None, slowest, server)


def _seconds(lane: Lane, page: float | None, connections: int) -> float | None:
    """From now until the last page of a host. One that is asked now and then needs no measure of the time of a page."""
    urls = lane.before + lane.urls
    if page is None:
        return lane.wait + (urls - 1) * lane.interval if lane.interval else None
    return lane.wait + max((urls - 1) * lane.interval + page, ceil(urls / connections) * page)
