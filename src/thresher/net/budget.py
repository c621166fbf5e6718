"""One bound for the bodies of a process: whoever reads a large one reserves room for it first, in the order of asking.

Nobody asks for more while holding some, so nobody waits in a circle. Knows nothing of HTTP or of what is held.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Self


class Budget:
    """`total` bytes, shared by leases. Belongs to one event loop."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def free(self) -> int:
        return self._free

    def lease(self) -> "Lease":
        """A lease that holds nothing yet."""
        return Lease(self)

    async def take(self, size: int) -> int:
        """Wait for `size` bytes behind those who wait already. Returns what was taken: no more than there is in all."""
        size = min(size, self._total)
        if not self._waiting and size <= self._free:
            self._free -= size
            return size
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # granted, and cancelled before it was seen
                self.give(size)
            else:
                self._waiting = deque(entry for entry in self._waiting if entry[1] is not turn)
                self.give(0)  # who stood behind may fit now
            raise
        return size

    def give(self, size: int) -> None:
        """Give back, and serve those who wait, in their order: a large one is not passed by small ones for ever."""
        self._free += size
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)


class Lease:
    """What one body has of the budget, given back at the end of a `with`."""

    __slots__ = ("budget", "held")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.held = 0  # bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shrink(0)

    async def take(self, size: int) -> None:
        """Wait for room. Once: who holds some already must not wait for more."""
        if self.held:
            raise RuntimeError("a lease is taken once")
        self.held = await self.budget.take(size)

    def shrink(self, size: int) -> None:
        """Give back what is beyond `size`."""
        if size < self.held:
            surplus, self.held = self.held - size, size
            self.budget.give(surplus)
