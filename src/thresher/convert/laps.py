"""How long each step of a conversion took, in milliseconds: for the facts of an answer and for the benchmark."""

import time
from collections.abc import Callable


class Laps:
    """A stopwatch. `lap(name)` books the time since the last lap, or since the start, under `name`."""

    __slots__ = ("_clock", "_last", "ms")

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.ms: dict[str, float] = {}
        self._clock = clock
        self._last = clock()

    def lap(self, name: str) -> None:
        now = self._clock()
        self.ms[name] = round(self.ms.get(name, 0.0) + (now - self._last) * 1000, 3)
        self._last = now
