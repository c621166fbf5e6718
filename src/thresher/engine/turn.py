"""Waiting for a place among a few, but not for ever: a claimed shard has better things to do than to stand in line."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator

from thresher.storage.shards import Claim

_Waiting = asyncio.Future[None]


class Places:
    """So many places for all shards of this process. Their batches have them in turn, however many shards of each wait."""

    def __init__(self, count: int) -> None:
        self.free = count
        self._had: Counter[int] = Counter()  # places that are had, by shard
        self._lines: dict[int, deque[_Waiting]] = {}  # by batch; the one whose turn it is comes first

    def has(self, claim: Claim) -> bool:
        """Whether a shard has one."""
        return self._had[claim.shard] > 0

    @contextlib.asynccontextmanager
    async def turn(self, claim: Claim, stopped: asyncio.Event, seconds: float) -> AsyncIterator[bool]:
        """Have one, or not: if there was none for so many seconds, or until `stopped` is set. Gives whether there was.

        Whoever gave up waiting has none, even if one becomes free at the same time.
        """
        mine, stop = self._enter(claim.batch), asyncio.ensure_future(_set(stopped))
        try:
            await asyncio.wait({mine, stop}, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
            if not mine.done():
                mine.cancel()
            self._had[claim.shard] += not mine.cancelled()
            try:
                yield not mine.cancelled()
            finally:
                self._had[claim.shard] -= not mine.cancelled()
                self._had += Counter()  # no more of those that have none
        finally:
            stop.cancel()
            if mine.done() and not mine.cancelled():
                self._leave()
            else:
                mine.cancel()

    def _enter(self, batch: int) -> _Waiting:
        waiting: _Waiting = asyncio.get_running_loop().create_future()
        if self.free:
            self.free -= 1
            waiting.set_result(None)
        else:
            self._lines.setdefault(batch, deque()).append(waiting)
        return waiting

    def _leave(self) -> None:
        while self._lines:
            batch = next(iter(self._lines))
            line = self._lines.pop(batch)
            while line and line[0].done():  # gone without a place
                line.popleft()
            if line:
                line.popleft().set_result(None)
                if line:
                    self._lines[batch] = line  # behind all others
                return
        self.free += 1


async def _set(event: asyncio.Event) -> None:
    await event.wait()
