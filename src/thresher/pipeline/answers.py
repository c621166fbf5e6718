"""What a process remembers of the robots.txt files it asked for: bounded in number and in bytes, the oldest going first.

Knows nothing of how an answer is got, nor for how long it is good.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from thresher.domain.failure import Failure
from thresher.domain.robots import Rules


@dataclass(frozen=True, slots=True)
class Unavailable:
    """There is no robots.txt to be had for now, and why. `retry_after`: seconds that the site asked for, if it did."""

    failure: Failure
    retry_after: float | None = None


Answer = Rules | Unavailable

MAX_BYTES = 32 * 2**20  # in one process; one hostile file comes to about 8 MB
_RULE_BYTES = 150  # of the objects that a rule is, beside its text
_ORIGIN_BYTES = 500


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    until: float
    size: int


class Answers:
    """Answers by origin. `clock` is in seconds; a test may set it."""

    def __init__(self, clock: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        self._clock, self._max_bytes = clock, max_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, origin: str) -> Answer | None:
        """The answer of an origin, or None if there is none or its time is over."""
        kept = self._kept.get(origin)
        return kept.answer if kept is not None and kept.until > self._clock() else None

    def put(self, origin: str, answer: Answer, seconds: float) -> None:
        """Remember an answer for so long, or until room is needed."""
        if (before := self._kept.pop(origin, None)) is not None:
            self._bytes -= before.size
        self._kept[origin] = _Kept(answer, self._clock() + seconds, size := _size(answer))
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size


def _size(answer: Answer) -> int:
    """About the memory that an answer takes, in bytes."""
    if isinstance(answer, Unavailable):
        return _ORIGIN_BYTES + len(answer.failure.detail)
    return _ORIGIN_BYTES + sum(_RULE_BYTES + len(rule.pattern) for rule in answer.rules)
