"""Plays the worker: claims shards and settles their items through the storage, with real frames in a real store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from thresher.convert.convert import convert
from thresher.convert.digest import digest
from thresher.convert.document import How, Source
from thresher.convert.documents.made import Bounds
from thresher.convert.frame import encode
from thresher.domain.choices import Choices
from thresher.domain.failure import FailureCode, ItemFailed
from thresher.domain.states import ItemState
from thresher.engine import endings
from thresher.pipeline import reading
from thresher.settings import Settings
from thresher.storage import inputs, settling, shards
from thresher.storage.blobs import Blobs, pack_key
from thresher.storage.database import Connection, Pool
from thresher.storage.inputs import Input
from thresher.storage.settling import Pack, Settled, Work
from thresher.storage.shards import Claim, ShardItem

PAGE = '<!doctype html><title>{title}</title><p>Hello <b>{title}</b></p><a href="/next">next</a>'

Fate = Callable[[ShardItem], FailureCode | None]


def all_good(item: ShardItem) -> FailureCode | None:
    return None


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker on the test's database and store. `attempts` is what every item that it settles keeps."""

    pool: Pool
    blobs: Blobs
    attempts: list[dict[str, Any]] = field(default_factory=list)
    sources: Mapping[str, Source] = field(default_factory=dict)  # what was fetched, by custom_id; else a small page

    async def claim(self) -> Claim | None:
        """The next shard that the queue would serve, of any batch."""
        async with self.pool.acquire() as connection:
            shard = await connection.fetchval("SELECT id FROM shard WHERE state = 'queued' ORDER BY tag, id LIMIT 1")
            return await shards.claim(connection, shard, timedelta(seconds=10)) if shard else None

    async def settle(self, claim: Claim, some: list[ShardItem], fate: Fate = all_good) -> None:
        """Settle some items of a claim: a page, or what their file is, for the good ones, the failure of the others."""
        async with self.pool.acquire() as connection:
            found = await inputs.find(connection, claim, timedelta(days=30))
        data = b""
        done = list(endings.unread(replace(claim, items=some), found, Settings().document_max_bytes))
        ended = {one.ord for one in done}
        for item in some:
            if item.ord in ended:
                continue
            failure = fate(item)
            if failure in (FailureCode.PARSER_NO_MATCH, FailureCode.PARSER_FAILED):
                frame = page_frame(item.ref, item.custom_id)
                span = (len(data), len(frame))
                done.append(
                    Settled(item.ord, ItemState.FAILED, self.attempts, failure, "told by the test", 200, 0, span)
                )
                data += frame
                continue
            if failure is not None:
                done.append(Settled(item.ord, ItemState.FAILED, self.attempts, failure, "told by the test", 503))
                continue
            source = self.sources.get(item.custom_id)
            chosen = Choices.of(claim.options).over(item.options, None)
            chosen = replace(chosen, definition=claim.definitions.get(chosen.parser or ""))
            how = reading.how(chosen, file=item.file is not None)
            if item.file is not None and source is None:
                source = await self._file(item, found[item.ord])
            try:
                frame, mark = result_of(source or page(item.ref, item.custom_id), how)
            except ItemFailed as failed:
                done.append(
                    Settled(item.ord, ItemState.FAILED, self.attempts, failed.failure.code, failed.failure.detail)
                )
                continue
            span = (len(data), len(frame))
            http = 200 if item.file is None else None
            done.append(Settled(item.ord, ItemState.COMPLETED, self.attempts, None, None, http, item.price, span, mark))
            data += frame
        pack = Pack(pack_key(claim.batch_public_id), len(data)) if data else None
        if pack:
            await self.blobs.put(pack.key, data)
        async with self.pool.acquire() as connection:
            await settling.settle(connection, claim.batch, [Work(claim.shard, claim.lease, done)], pack)

    async def _file(self, item: ShardItem, there: Input) -> Source:
        assert item.file
        assert there.bytes
        return Source(item.ref, await self.blobs.read(there.bytes.key, 0, there.bytes.size), name=item.file.name)

    async def end(self, claim: Claim) -> None:
        async with self.pool.acquire() as connection:
            await shards.end(connection, claim.shard, claim.lease)

    async def work(self, fate: Fate = all_good) -> None:
        """Everything there is, to the end."""
        while claim := await self.claim():
            await self.settle(claim, claim.items, fate)
            await self.end(claim)


def page_frame(url: str, title: str) -> bytes:
    """The frame of a small page, made as the pipeline makes it."""
    return frame_of(page(url, title))


def page(url: str, title: str) -> Source:
    """A small page as it was fetched."""
    return Source(url, PAGE.format(title=title).encode(), "text/html; charset=utf-8")


def frame_of(source: Source, how: How | None = None) -> bytes:
    """The frame of what was fetched, made as the pipeline makes it."""
    return result_of(source, how)[0]


def result_of(source: Source, how: How | None = None) -> tuple[bytes, bytes]:
    """The frame of what was fetched, and its digest."""
    document = convert(source, max_decoded_bytes=2**26, how=how, documents=Bounds())
    kept = how is None or how.keep_body or document.kind != "document"
    return encode(source if kept else replace(source, body=b""), document, {}), digest(document, how or How())


async def settle_in_sql(connection: Connection, public_id: str) -> None:
    """Mark every item of a batch as failed, and the batch as done, without work: for tests of very large batches."""
    key = await connection.fetchval("SELECT id FROM batch WHERE public_id = $1", public_id)
    await connection.execute(
        "UPDATE item SET state = 2, failure = 'timeout', finish_seq = ord + 1, finished_at = now() WHERE batch_id = $1",
        key,
    )
    await connection.execute(
        "UPDATE batch_progress SET state = 'done', outcome = 'all_failed', failed = total, finished = total,"
        " numbered = total, finished_at = now() WHERE batch_id = $1",
        key,
    )


async def complete_in_sql(connection: Connection, blobs: Blobs, public_id: str, frame: bytes) -> None:
    """Give every item of a batch this result, and end the batch, without work. Items lie in packs of 64, in submit order;
    there are only eight packs, of which many items share one, so that a very large batch takes little room.
    """
    key = await connection.fetchval("SELECT id FROM batch WHERE public_id = $1", public_id)
    packs = [pack_key(public_id) for _ in range(8)]
    for name in packs:
        await blobs.put(name, frame * 64)
    ids = await connection.fetch(
        "INSERT INTO pack (batch_id, key, bytes) SELECT $1, unnest($2::text[]), $3 RETURNING id",
        key,
        packs,
        64 * len(frame),
    )
    await connection.execute(
        "UPDATE item SET state = 1, finish_seq = ord + 1, finished_at = now(), http = 200,"
        " pack_id = ($2::bigint[])[ord / 64 % 8 + 1], off = ord % 64 * $3, len = $3 WHERE batch_id = $1",
        key,
        [row["id"] for row in ids],
        len(frame),
    )
    await connection.execute(
        "UPDATE batch_progress SET state = 'done', outcome = 'all_ok', completed = total, finished = total,"
        " numbered = total, finished_at = now() WHERE batch_id = $1",
        key,
    )
