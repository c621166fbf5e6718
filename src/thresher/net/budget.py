"""One bound for the bodies of a process: whoever reads a large one asks for room as it grows, and waits his turn.

Bodies grow in steps, so that one that only trickles holds little. Who holds some may wait for more: there is always room
apart for one body to grow to its full size (the lane), so nobody waits in a circle. Knows nothing of HTTP or of what is
held.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Self


class Budget:
    """`total` bytes, shared by leases of which each has `whole` at most. Belongs to one event loop."""

    def __init__(self, total: int, whole: int) -> None:
        self._free = max(0, total - whole)
        self._lane: Lease | None = None  # who may grow without asking
        self._waiting: deque[tuple[Lease, int, asyncio.Future[None]]] = deque()

    @property
    def free(self) -> int:
        """Bytes that nobody holds, those of the lane left out."""
        return self._free

    def lease(self) -> "Lease":
        """A lease that holds nothing yet."""
        return Lease(self)

    async def grow(self, lease: "Lease", more: int) -> None:
        """Wait for `more` bytes, behind those who wait already."""
        if lease is self._lane:
            lease.apart += more
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((lease, more, turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            # If it was granted before it was cancelled, the lease has it, and gives it back at its end.
            self._waiting = deque(entry for entry in self._waiting if entry[2] is not turn)
            self._serve()  # who stood behind may fit now
            raise

    def give(self, lease: "Lease", size: int, *, apart: bool) -> None:
        """Take back, and serve those who wait. `apart`: the lease leaves the lane."""
        self._free += size
        if apart and lease is self._lane:
            self._lane = None
        self._serve()

    def _serve(self) -> None:
        """In their order: a large one is not passed by small ones for ever. The first for whom there is no room may have the lane."""
        while self._waiting:
            lease, more, turn = self._waiting[0]
            if more <= self._free:
                self._free -= more
                lease.pooled += more
            elif self._lane is None:
                self._lane = lease
                lease.apart += more
            else:
                return
            self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)


class Lease:
    """What one body has of the budget, given back at the end of a `with`. `pooled` and `apart` are the budget's to set."""

    __slots__ = ("apart", "budget", "pooled")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.pooled = 0  # bytes
        self.apart = 0  # bytes in the lane

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shrink(0)

    @property
    def held(self) -> int:
        """Bytes."""
        return self.pooled + self.apart

    async def grow(self, size: int) -> None:
        """Wait until it holds `size` bytes in all."""
        if size > self.held:
            await self.budget.grow(self, size - self.held)

    def shrink(self, size: int) -> None:
        """Give back what is beyond `size`."""
        surplus = max(0, self.pooled - size)
        self.pooled -= surplus
        self.apart = min(self.apart, size - self.pooled)
        self.budget.give(self, surplus, apart=not self.apart)
