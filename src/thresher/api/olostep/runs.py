"""Finished items of a batch with the bytes of their frames, run by run, read ahead of whoever writes them out.

Where the items come from is the caller's: page by page. What is in memory is bounded, however many they are and however
slow the reader.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from thresher.api.olostep.lookup import refuse_purged
from thresher.api.state import State
from thresher.storage import batches
from thresher.storage.batches import Batch
from thresher.storage.blobs import Span
from thresher.storage.database import Connection
from thresher.storage.items import Item

RUN_ITEMS = 128  # items in a run: at most so many gaps are read with it
RUN_BYTES = 4 * 2**20  # of frames in a run, unless it is a single one
AHEAD = 4  # runs under way or waiting
AHEAD_BYTES = 16 * 2**20  # of frames in them, unless it is a single one


@dataclass(frozen=True, slots=True)
class Run:
    """Items that follow each other, each with the bytes of its frame, None if it has none or they are not there any more."""

    items: list[Item]
    frames: Sequence[memoryview | None]


async def runs(state: State, batch: Batch, pages: AsyncIterator[list[Item]]) -> AsyncGenerator[Run]:
    """All runs of the pages, whose items have the keys of their packs. Raises Problem(batch_purged) if it is meanwhile."""
    under_way: deque[tuple[int, asyncio.Task[Run]]] = deque()
    held, more = 0, True
    async with aclosing(_cut(pages)) as cut:
        try:
            while True:
                while more and (not under_way or (len(under_way) < AHEAD and held < AHEAD_BYTES)):
                    found = await anext(cut, None)
                    if found is None:
                        more = False
                        break
                    size = sum(map(_size, found))
                    held += size
                    under_way.append((size, asyncio.create_task(_read(state, batch, found))))
                if not under_way:
                    return
                size, task = under_way.popleft()
                run = await task
                held -= size
                yield run
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)


async def _cut(pages: AsyncIterator[list[Item]]) -> AsyncGenerator[list[Item]]:
    """The same items in runs."""
    async for page in pages:
        run: list[Item] = []
        size = 0
        for item in page:
            if run and (len(run) == RUN_ITEMS or size + _size(item) > RUN_BYTES):
                yield run
                run, size = [], 0
            run.append(item)
            size += _size(item)
        yield run


async def _read(state: State, batch: Batch, found: list[Item]) -> Run:
    spans = [Span(item.pack_key, *item.span) for item in found if item.pack_key and item.span]
    read = await state.blobs.read_all(spans)
    if None in read:  # the purge takes the objects away; it marks the batch before
        async with state.connection() as connection:
            await current(connection, batch)
    rest = iter(read)
    frames = [next(rest) if item.pack_key and item.span else None for item in found]
    return Run(found, frames)


async def current(connection: Connection, batch: Batch) -> Batch:
    """The batch as it is now. Raises Problem(batch_purged)."""
    now = await batches.get_by_key(connection, batch.account_id, batch.id)
    if now is None:
        raise RuntimeError("the row of a batch is gone; even a purged one keeps it")
    refuse_purged(now)
    return now


def _size(item: Item) -> int:
    return item.span[1] if item.span else 0
