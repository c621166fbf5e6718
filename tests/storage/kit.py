"""Short words for the tests of storage: a batch submitted, a shard served by the queue, its items settled."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import cycle
from typing import Any, Literal

from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from thresher.domain.failure import FailureCode
from thresher.domain.states import ItemState
from thresher.storage import accounts, batches, blobs, items, queue, settling, shards
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.reconcile import Limits
from thresher.storage.settling import Pack, Result, Settled, Work
from thresher.storage.shards import Claim, Rest
from thresher.storage.submit import NewBatch, NewItem, append, create

# Everything that the reconciler finds is old enough to be repaired, and nothing is late unless a test says so.
LIMITS = Limits(
    item_timeout=timedelta(hours=1), stop_grace=timedelta(hours=1), shard_size=3, quiet=timedelta(seconds=-60)
)

_OF_PAGES = (FailureCode.HTTP_4XX,)
_OF_PARSERS = (FailureCode.PARSER_NO_MATCH, FailureCode.HTTP_4XX, FailureCode.PARSER_FAILED)

Fate = Literal[ItemState.COMPLETED, ItemState.FAILED, ItemState.SKIPPED]


@dataclass(frozen=True, slots=True)
class Job:
    """An entry that the queue served: its own id, and the shard that it stands for."""

    id: int
    shard: int


async def new_account(connection: Connection, name: str | None = None, grant: int | None = None) -> int:
    """An account without a limit, or with one that is all it gets."""
    key = await accounts.create(connection, name or f"account {uuid.uuid4()}", grant)
    assert key is not None
    return key


def new_items(buckets: Iterable[int], position: int = 0, prices: Sequence[int | None] = ()) -> list[NewItem]:
    """An item in each of these buckets, in this order, from a position of the batch on. `prices` go round: those with one have
    chosen a parser and headers for themselves.
    """
    items = [NewItem(f"https://host{b}.example/{n}", b, f"c{n}") for n, b in enumerate(buckets, position)]
    own: dict[str, Any] = {"options": {"parser": "@thresher/links"}, "headers": {"Cookie": "a=b"}}
    return [
        item if price is None else replace(item, price=price, **own)
        for item, price in zip(items, cycle(prices or [None]), strict=False)
    ]


def cost(items: Iterable[NewItem], price: int) -> int:
    """What these cost in a batch of that price, if all are completed."""
    return sum(price if item.price is None else item.price for item in items)


async def submit(
    connection: Connection,
    account: int,
    buckets: Iterable[int],
    *,
    shard_size: int = 3,
    lifetime: float = 3600.0,
    stays_open: bool = False,
    price: int = 1,
    parser: str | None = None,
    prices: Sequence[int | None] = (),
) -> Batch:
    new = NewBatch(
        account,
        "olostep",
        new_items(buckets, prices=prices),
        lifetime,
        shard_size,
        {"formats": ["markdown"], **({"parser": parser} if parser else {})},
        {"k": "v"},
        open=stays_open,
        price=price,
        headers={"Authorization": "Bearer x"},
    )
    return await create(connection, new)


async def add(connection: Connection, batch: Batch, buckets: Sequence[int]) -> int:
    """Append an item in each of these buckets to an open batch, as its only caller."""
    total = (await reread(connection, batch)).total
    return await append(connection, batch.id, new_items(buckets, total), limit=10**6, offset=total)


async def reread(connection: Connection, batch: Batch) -> Batch:
    """The batch as it stands now."""
    now = await batches.get(connection, batch.account_id, batch.public_id)
    assert now is not None
    return now


async def serve(connection: Connection, many: int = 1) -> list[Job]:
    """What the queue gives a worker that asks for so many entries, in the queue's order."""
    served = await queue.queries(connection).dequeue(
        batch_size=many,
        entrypoints={QueueEntrypoint(queue.ENTRYPOINT): EntrypointExecutionParameter(0)},
        queue_manager_id=QueueManagerId(uuid.uuid4()),
        global_concurrency_limit=None,
        heartbeat_timeout=timedelta(hours=1),
    )
    return [Job(job.id, int(job.payload or b"0")) for job in served]


async def spend(connection: Connection, job: Job) -> None:
    """What the library does when a handler has returned: the entry goes to its log."""
    library = queue.queries(connection)
    await library.driver.execute(library.qbq.build_log_job_query(), [job.id], ["successful"], [None])


async def claim(connection: Connection, shard: int) -> Claim | None:
    """Claim a shard, or take it over at once: of a lease that another holds nothing is left."""
    return await shards.claim(connection, shard, timedelta(0))


async def claim_next(connection: Connection) -> Claim:
    """Claim what the queue serves next; the test knows that there is something to claim."""
    while True:
        (job,) = await serve(connection)
        taken = await claim(connection, job.shard)
        if taken is not None:
            return taken
        await spend(connection, job)


def fate(
    ord_: int, state: Fate = ItemState.COMPLETED, price: int = 1, failure: FailureCode = FailureCode.HTTP_4XX
) -> Settled:
    """The end of an item: a result of ten bytes, or a failure."""
    attempts = [{"at": "2025-01-01T00:00:00Z", "nested": [[1], [2, 3]]}]
    if state is ItemState.COMPLETED:
        return Settled(ord_, state, attempts, http=200, billed=price, span=(ord_ * 10, 10))
    if state is ItemState.SKIPPED:
        return Settled(ord_, state, attempts)
    return Settled(ord_, state, attempts, failure, "404 Not Found", http=404)


def work(claim: Claim, ords: Iterable[int] | None = None, state: Fate = ItemState.COMPLETED) -> Work:
    """Ends for some items of a claim, or for all of them. With a parser, some fail of it."""
    prices = {item.ord: item.price for item in claim.items}
    chosen = list(prices) if ords is None else list(ords)
    codes = _OF_PARSERS if claim.options.get("parser") else _OF_PAGES
    ends = [fate(ord_, state, prices.get(ord_, 1), codes[ord_ % len(codes)]) for ord_ in chosen]
    return Work(claim.shard, claim.lease, ends)


async def settle(connection: Connection, *works: Work, batch: int) -> Result:
    """Settle with a pack of its own, as a worker does."""
    return await settling.settle(connection, batch, works, Pack(blobs.pack_key("batch_test"), 1000))


async def finish_shard(
    connection: Connection, claim: Claim, state: Fate = ItemState.COMPLETED, rests: Sequence[Rest] = ()
) -> bool:
    """Settle all of a claim that is in no rest, and end it. True if that ended the batch."""
    left = {ord_ for rest in rests for ord_ in rest.ords}
    ords = [item.ord for item in claim.items if item.ord not in left]
    over = (await settle(connection, work(claim, ords, state), batch=claim.batch)).over
    return await shards.end(connection, claim.shard, claim.lease, rests) or over


async def drain(connection: Connection, limit: int = 10_000) -> int:
    """Work until the queue serves nothing. Returns how many claims that took."""
    claims = 0
    for _ in range(limit):
        jobs = await serve(connection)
        if not jobs:
            return claims
        taken = await claim(connection, jobs[0].shard)
        if taken is not None:
            claims += 1
            await finish_shard(connection, taken)
        await spend(connection, jobs[0])
    raise AssertionError(f"the queue still serves after {limit} claims")


async def all_finished(connection: Connection, batch: Batch, state: ItemState | None, limit: int) -> list[items.Item]:
    """Every page of the finished items, one after the other."""
    found: list[items.Item] = []
    cursor = 0
    while True:
        page = await items.page_finished(connection, batch, state, cursor, limit)
        assert len(page.items) <= limit
        found += page.items
        if page.cursor is None:
            return found
        assert page.cursor > cursor
        cursor = page.cursor
