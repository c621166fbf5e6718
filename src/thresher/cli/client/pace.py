"""How fast something goes, from what was seen of it lately. Pure: the clock is given."""

from collections import deque

WINDOW = 20.0  # seconds: long enough to be calm, short enough to follow a host that pauses


class Pace:
    """A rate, and the time left at that rate."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def seen(self, now: float, done: int) -> None:
        """At the time `now` (in seconds), so many were done."""
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """How many a second, in the last WINDOW seconds; None as long as nothing can be said."""
        if len(self._seen) < 2:
            return None
        (begin, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - begin) if end > begin else None

    def left(self, remaining: int) -> float | None:
        """Seconds for so many more; None when it does not move."""
        rate = self.rate
        return remaining / rate if rate else None
