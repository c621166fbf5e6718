"""The finished items of a batch with the bytes of their frames, run by run, read ahead of whoever writes them out.

No connection and no snapshot outlives a page of rows, and what is in memory is bounded, however large the batch and
however slow the reader.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from thresher.api.olostep.lookup import refuse_purged
from thresher.api.olostep.queries import ExportQuery
from thresher.api.state import State
from thresher.storage import batches, items
from thresher.storage.batches import Batch
from thresher.storage.blobs import Span
from thresher.storage.database import Connection
from thresher.storage.items import Item

PAGE = 250  # rows read at a time
RUN_ITEMS = 128  # items in a run: at most so many gaps are read with it
RUN_BYTES = 4 * 2**20  # of frames in a run, unless it is a single one
AHEAD = 4  # runs under way or waiting
AHEAD_BYTES = 16 * 2**20  # of frames in them, unless it is a single one


@dataclass(frozen=True, slots=True)
class Run:
    """Items that follow each other, each with its cursor (that of the next line) and the bytes of its frame, if any."""

    items: list[Item]
    cursors: list[int]
    frames: Sequence[memoryview | None]


async def runs(state: State, batch: Batch, query: ExportQuery) -> AsyncGenerator[Run]:
    """All runs of what is finished now. Raises Problem(batch_purged) when the batch is purged meanwhile."""
    under_way: deque[tuple[int, asyncio.Task[Run]]] = deque()
    held, more = 0, True
    async with aclosing(_cut(_pages(state, batch, query))) as cut:
        try:
            while True:
                while more and (not under_way or (len(under_way) < AHEAD and held < AHEAD_BYTES)):
                    found = await anext(cut, None)
                    if found is None:
                        more = False
                        break
                    size = sum(map(_size, found))
                    held += size
                    under_way.append((size, asyncio.create_task(_read(state, batch, query, found))))
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


async def _pages(state: State, batch: Batch, query: ExportQuery) -> AsyncGenerator[list[Item]]:
    """Pages of rows; each sees the batch as it is by then."""
    cursor, left, after = query.cursor, query.limit, None
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        async with state.snapshot() as connection:
            now = await _current(connection, batch)
            if query.submitted:
                found = await items.run_submitted(connection, now, query.states, cursor, size)
            else:
                found = await items.run_finished(connection, now, query.states, cursor, size, after)
        if found:
            yield found
        if len(found) < size:
            return
        after = found[-1]
        cursor, left = _cursor(query, after), None if left is None else left - size


async def _cut(pages: AsyncGenerator[list[Item]]) -> AsyncGenerator[list[Item]]:
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


async def _read(state: State, batch: Batch, query: ExportQuery, found: list[Item]) -> Run:
    spans = [Span(item.pack_key, *item.span) for item in found if item.pack_key and item.span]
    read = await state.blobs.read_all(spans)
    if None in read:  # the purge takes the objects away; it marks the batch before
        async with state.connection() as connection:
            await _current(connection, batch)
    rest = iter(read)
    frames = [next(rest) if item.pack_key and item.span else None for item in found]
    return Run(found, [_cursor(query, item) for item in found], frames)


async def _current(connection: Connection, batch: Batch) -> Batch:
    """The batch as it is now. Raises Problem(batch_purged)."""
    now = await batches.get_by_key(connection, batch.account_id, batch.id)
    if now is None:
        raise RuntimeError("the row of a batch is gone; even a purged one keeps it")
    refuse_purged(now)
    return now


def _size(item: Item) -> int:
    return item.span[1] if item.span else 0


def _cursor(query: ExportQuery, item: Item) -> int:
    """Where the line after this item's begins: a position, or a finish number."""
    return (item.ord if query.submitted or item.seq is None else item.seq) + 1
