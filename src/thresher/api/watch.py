"""Waiting for a batch to move, without a connection and without a query for each who waits.

One look at the versions of all batches that somebody waits for, a few times a second, and none while nobody does. It
is what the database says, so it does not matter which process of the cluster moved the batch.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import cast

from fastapi import Request

from thresher.domain.states import BatchState
from thresher.storage import batches
from thresher.storage.batches import Batch
from thresher.storage.database import PASSING, Pool

log = logging.getLogger(__name__)

LOOK = 0.25  # seconds between two looks


class Watch:
    """The batches that somebody waits for. `closing` says whether the server is about to end: then nobody waits on."""

    def __init__(self, pool: Pool, closing: Callable[[], bool]) -> None:
        self._pool, self._closing = pool, closing
        self._waiting: dict[asyncio.Future[None], tuple[Batch, bool]] = {}
        self._looking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def moved(self, batch: Batch, seconds: float, *, only_done: bool) -> bool:
        """Wait until more is known of a batch than this; with `only_done` until it is done. False if that was not to be.

        That is after so many seconds, or when the server is about to end.
        """
        moved = asyncio.get_running_loop().create_future()
        self._waiting[moved] = (batch, only_done)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="watch")
        try:
            async with asyncio.timeout(seconds):
                await moved
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(moved, None)
        return not self._closing()

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(LOOK)
            if self._closing():
                self._wake(None)
                continue
            try:
                async with self._pool.acquire() as connection:
                    found = await batches.versions(connection, {batch.id for batch, _ in self._waiting.values()})
            except PASSING as error:
                log.warning("cannot look after the batches that are waited for: %s", error or type(error).__name__)
                continue
            self._wake(found)

    def _wake(self, now: Mapping[int, tuple[str, BatchState]] | None) -> None:
        """Those who have something new to see by these versions; everybody without any."""
        for moved, (batch, only_done) in self._waiting.items():
            seen = now.get(batch.id) if now is not None else None  # who came during the look may wait for one not in it
            if not moved.done() and (now is None or (seen and _is_news(batch, only_done, *seen))):
                moved.set_result(None)


def _is_news(batch: Batch, only_done: bool, version: str, state: BatchState) -> bool:
    return state is BatchState.DONE if only_done else version != batch.version


def watch_of(request: Request) -> Watch:
    """The running API's watch."""
    return cast(Watch, request.app.state.watch)
