"""Finished items, gathered per batch and settled together: one durable pack, then one transaction.

A batch's items are flushed at `settle_items` of them, after `settle_seconds`, or when nothing else of the batch is
under way here. What a flush cannot write because of one item's data is bisected, so that one title cannot sink its
neighbours.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import asyncpg
import orjson

from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.states import ItemState
from thresher.engine.patience import TRIES, wait_or_give_up
from thresher.settings import Settings
from thresher.storage import blobs, database, settling
from thresher.storage.blobs import Blobs, StoreUnusable
from thresher.storage.settling import Pack, Settled, Work
from thresher.storage.shards import Claim

log = logging.getLogger("thresher.settle")

_MAX_BYTES = 8 * 2**20  # a pack is not made larger than this by waiting for more
_FLUSHES = 4  # flushes under way at a time, over all batches; more only queue up in PostgreSQL
_MAX_HELD = 64 * 2**20  # bytes of results not yet written: beyond these nothing new is begun

# The data of some item does not fit into PostgreSQL, whatever the reason.
_REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, UnicodeEncodeError, orjson.JSONEncodeError)


@dataclass(slots=True)
class _Finished:
    claim: Claim
    settled: Settled
    frame: bytes | None
    size: int  # bytes of the frame, 0 if another that waits has the same one
    done: asyncio.Future[bool]


@dataclass(slots=True)
class _Buffer:
    """The finished items of one batch that wait to be written, and how many more are under way."""

    waiting: list[_Finished] = field(default_factory=list)
    frames: set[int] = field(default_factory=set)  # of those, each once, by identity
    bytes: int = 0
    under_way: int = 0
    timer: asyncio.TimerHandle | None = None


class Settler:
    """One per worker process."""

    def __init__(self, pool: database.Pool, store: Blobs, settings: Settings) -> None:
        self._pool, self._store = pool, store
        self._items, self._seconds = settings.settle_items, settings.settle_seconds
        self._buffers: dict[int, _Buffer] = {}
        self._slots = asyncio.Semaphore(_FLUSHES)
        self._flushes: set[asyncio.Task[None]] = set()
        self._held = 0
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Wait while too much is held here: where the database or the store is slow, memory must not make up for it."""
        await self._room.wait()

    def begin(self, batch: int) -> None:
        """An item of this batch is under way: its batch is not idle until `end`."""
        self._buffers.setdefault(batch, _Buffer()).under_way += 1

    def end(self, batch: int) -> None:
        """The item is finished, or given back. The last one flushes what waits."""
        buffer = self._buffers[batch]
        buffer.under_way -= 1
        if buffer.under_way == 0:
            self._flush(batch)

    def add(self, claim: Claim, settled: Settled, frame: bytes | None) -> asyncio.Future[bool]:
        """Hand over a finished item (between `begin` and `end`); others may have the same frame. The future is True once it is

        settled for good, False if the shard was lost meanwhile, and raises if the database stays away.
        """
        done = asyncio.get_running_loop().create_future()
        buffer = self._buffers[claim.batch]
        size = 0 if frame is None or id(frame) in buffer.frames else len(frame)
        buffer.waiting.append(_Finished(claim, settled, frame, size, done))
        buffer.frames.add(id(frame))
        buffer.bytes += size
        self._hold(size)
        if len(buffer.waiting) >= self._items or buffer.bytes >= _MAX_BYTES:
            self._flush(claim.batch)
        elif buffer.timer is None:
            buffer.timer = asyncio.get_running_loop().call_later(self._seconds, self._flush, claim.batch)
        return done

    async def close(self) -> None:
        """Write what waits."""
        for batch in list(self._buffers):
            self._flush(batch)
        await asyncio.gather(*self._flushes, return_exceptions=True)

    def _flush(self, batch: int) -> None:
        buffer = self._buffers[batch]
        if buffer.timer is not None:
            buffer.timer.cancel()
            buffer.timer = None
        waiting, buffer.waiting, buffer.frames, buffer.bytes = buffer.waiting, [], set(), 0
        if buffer.under_way == 0:
            del self._buffers[batch]
        if waiting:
            task = asyncio.create_task(self._write(batch, waiting))
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    async def _write(self, batch: int, finished: Sequence[_Finished]) -> None:
        try:
            async with self._slots:
                lost = await self._settle(batch, finished)
        except Exception as error:  # whoever waits for these items must know, whatever it was
            for one in finished:
                if not one.done.done():
                    one.done.set_exception(error)
            return
        finally:
            self._hold(-sum(one.size for one in finished))
        for one in finished:
            if not one.done.done():
                one.done.set_result(one.claim.shard not in lost)

    def _hold(self, more: int) -> None:
        self._held += more
        if self._held < _MAX_HELD:
            self._room.set()
        else:
            self._room.clear()

    async def _settle(self, batch: int, finished: Sequence[_Finished]) -> frozenset[int]:
        """Write a pack and settle its items. Returns the shards that were lost."""
        try:
            pack, settled = await self._pack(finished)
            return await self._commit(batch, finished, settled, pack)
        except _REFUSED as error:
            if len(finished) > 1:
                half = len(finished) // 2
                return await self._settle(batch, finished[:half]) | await self._settle(batch, finished[half:])
            one = finished[0]
            log.warning("item %s/%s cannot be stored: %s", one.claim.batch_public_id, one.settled.ord, error)
            return await self._commit(batch, finished, [_unstorable(one.settled)], None)

    async def _pack(self, finished: Sequence[_Finished]) -> tuple[Pack | None, list[Settled]]:
        """Items with the same frame share its place."""
        frames, settled, offset = [], [], 0
        spans: dict[int, tuple[int, int]] = {}
        for one in finished:
            if one.frame is None:
                settled.append(one.settled)
                continue
            if id(one.frame) not in spans:
                spans[id(one.frame)] = (offset, len(one.frame))
                frames.append(one.frame)
                offset += len(one.frame)
            settled.append(replace(one.settled, span=spans[id(one.frame)]))
        if not frames:
            return None, settled
        data = b"".join(frames)
        for attempt in range(TRIES):
            key = blobs.pack_key(finished[0].claim.batch_public_id)
            try:
                await self._store.put(key, data)
            except StoreUnusable as error:
                await wait_or_give_up(attempt, error, "settling")
            else:
                return Pack(key, offset), settled
        raise AssertionError("unreachable: the last try returns or raises")

    async def _commit(
        self, batch: int, finished: Sequence[_Finished], settled: Sequence[Settled], pack: Pack | None
    ) -> frozenset[int]:
        by_shard: dict[int, tuple[Claim, list[Settled]]] = {}
        for one, item in zip(finished, settled, strict=True):
            by_shard.setdefault(one.claim.shard, (one.claim, []))[1].append(item)
        work = [Work(claim.shard, claim.lease, mine) for claim, mine in by_shard.values()]
        for attempt in range(TRIES):
            try:
                async with self._pool.acquire() as connection:
                    return (await settling.settle(connection, batch, work, pack)).lost
            except database.PASSING as error:
                await wait_or_give_up(attempt, error, "settling")
        raise AssertionError("unreachable: the last try returns or raises")


def _unstorable(settled: Settled) -> Settled:
    """The item, failed with words of our own, after PostgreSQL refused the ones it came with."""
    code = FailureCode.INTERNAL
    return Settled(settled.ord, ItemState.FAILED, [], code, f"{FAILURES[code].meaning} (unstorable)", settled.http)
