"""Which shards of a worker run beside each other: all, but for one that may kill the worker, which runs alone.

So it takes no other with it: a shard that was in hand when workers died of another is not found guilty with it. Knows
nothing of shards but that.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Company:
    """One per worker process."""

    def __init__(self) -> None:
        self._present = 0
        self._suspects = 0  # waiting, or alone
        self._change = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def join(self, *, alone: bool) -> AsyncIterator[None]:
        """Wait until this may run, and be one of those who do. Those who must be alone come first."""
        self._suspects += alone
        try:
            async with self._change:
                await self._change.wait_for(lambda: not (self._present if alone else self._suspects))
                self._present += 1
            try:
                yield
            finally:
                self._present -= 1
        finally:
            self._suspects -= alone
            async with self._change:
                self._change.notify_all()
