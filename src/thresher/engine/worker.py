"""A worker process: the queue library's loop, and what its shards work with.

Claims shards as the queue serves them, runs each (engine/shard.py), ends it. A handler never raises: it settles or
gives back. On SIGTERM it begins nothing more, gives back what is not begun, and leaves. Anything that the process
cannot mend (the database is gone for good) ends it; the supervisor starts another.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import uvloop
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Context, Job

from thresher.convert.converter import Converter
from thresher.convert.process import SpawnFailed
from thresher.domain.choices import Choices, RobotsMode
from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.states import ItemState, Outcome
from thresher.domain.way import Way
from thresher.engine import heap
from thresher.engine.company import Company
from thresher.engine.courier import Courier
from thresher.engine.lease import Lease, LeaseKeeper
from thresher.engine.patience import TRIES, wait_or_give_up
from thresher.engine.settler import Settler
from thresher.engine.shard import ShardRun
from thresher.engine.shared import Engine
from thresher.engine.turn import Places
from thresher.net.fetch import Fetcher
from thresher.net.post import Poster
from thresher.pipeline import item as pipeline
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.file import File, read_file
from thresher.pipeline.gate import MayBegin
from thresher.pipeline.robots import Robots
from thresher.settings import Settings
from thresher.storage import batches, database, hosts, inputs, pages, queue, shards, upkeep
from thresher.storage.blobs import Blobs
from thresher.storage.pages import Page
from thresher.storage.settling import Settled
from thresher.storage.shards import Claim, Held, LeaseLost, Rest

T = TypeVar("T")

log = logging.getLogger("thresher.worker")

_POOL = 8  # connections: a few flushes, claims, pauses and renewals at a time
_FILES = (
    2  # that are in hand in a process: one is converted, and the next is read; a converter does one document at a time
)
_SILENCE = 60.0  # seconds without an answer after which the queue's connection is taken for dead, as in the pool
_RETRY = timedelta(seconds=1)  # before an entry that could not be served is served again
_CLOSING = 20.0  # seconds beyond `stop_grace` for settling, ending shards and closing connections


class Worker:
    """The shards of one process."""

    def __init__(
        self, settings: Settings, pool: database.Pool, engine: Engine, robots: Robots, keeper: LeaseKeeper
    ) -> None:
        self._settings, self._pool, self._engine, self._keeper = settings, pool, engine, keeper
        self._robots = robots
        self._lease_time = timedelta(seconds=settings.heartbeat)
        self._running: set[ShardRun] = set()
        self._company = Company()
        self._draining = False

    def drain(self) -> None:
        """Begin nothing more; the shards in hand end within `stop_grace`."""
        self._draining = True
        for run in self._running:
            run.stop()

    async def handle(self, job: Job, context: Context) -> None:
        """Serve one queue entry. What goes wrong here is tried again: the library would delete the entry, or hold it for ever."""
        shard = int(job.payload or b"0")
        try:
            async with self._company.join(alone=await self._is_suspect(shard)):
                async with self._pool.acquire() as connection:
                    asked, claim = time.monotonic(), await shards.claim(connection, shard, self._lease_time)
                if claim is not None:
                    await self._run(claim, asked, job, context)
        except LeaseLost:
            log.warning("shard %s was taken over", shard)
        except Held as held:
            raise RetryRequested(held.wait, str(held)) from held
        except database.PASSING as error:
            log.warning("shard %s waits for the database: %s", shard, error or type(error).__name__)
            raise RetryRequested(_RETRY, "the database is away") from error
        except Exception as error:
            log.exception("shard %s", shard)
            raise RetryRequested(_RETRY, "a bug") from error

    async def _is_suspect(self, shard: int) -> bool:
        """Whether the next death with this shard in hand is laid at its door."""
        async with self._pool.acquire() as connection:
            return await shards.starts(connection, shard) >= max(1, self._settings.max_starts - 1)

    async def _run(self, claim: Claim, asked: float, job: Job, context: Context) -> None:
        lease = self._keeper.hold(claim.shard, claim.lease, job.id, asked)
        try:
            if claim.lease > self._settings.max_starts:
                rests = await self._isolate(claim)
            else:
                rests = await self._work(claim, lease, context)
            await self._end(claim, rests)
            if datetime.now(UTC) >= claim.deadline_at + claim.skew:  # sooner than the reconciler would
                async with self._pool.acquire() as connection:
                    await batches.stop(connection, claim.batch, Outcome.EXPIRED, only_overdue=True)
        finally:
            self._keeper.release(lease)

    async def _work(self, claim: Claim, lease: Lease, context: Context) -> list[Rest]:
        async with self._pool.acquire() as connection:
            known = await hosts.known(connection, claim.bucket)
            stored = await pages.find(connection, claim)
            given = await inputs.find(connection, claim, timedelta(seconds=self._settings.retention))
        run = ShardRun(claim, lease, self._engine, known, stored, given)
        if not claim.applied and Choices.of(claim.options).robots is not RobotsMode.IGNORE:
            await self._robots.recall(run.origins)
        self._running.add(run)
        if self._draining:
            run.stop()
        task = asyncio.create_task(run.run())
        try:
            with (
                context.cancellation
            ):  # the batch was stopped: the library cancels this scope, not the shard's own work
                await asyncio.wait({task})
            run.abort()
            return await task
        except Exception:
            log.exception("shard %s of %s", claim.shard, claim.batch_public_id)
            return await run.recover()
        finally:
            self._running.discard(run)

    async def _isolate(self, claim: Claim) -> list[Rest]:
        """A shard whose workers keep dying is halved, until the item that kills them is alone and fails by name."""
        if len(claim.items) > 1:
            half = len(claim.items) // 2
            log.error("shard %s of %s was started %s times: halved", claim.shard, claim.batch_public_id, claim.lease)
            return [
                Rest(
                    [item.ord for item in part],
                    dispatched_at=claim.dispatched_at,
                    carry={str(item.ord): item.attempts for item in part if item.attempts} or None,
                    starts=self._settings.max_starts - 1,
                )
                for part in (claim.items[:half], claim.items[half:])
            ]
        code = FailureCode.WORKER_LOST
        for item in claim.items:
            self._engine.settler.begin(claim.batch)
            settled = Settled(item.ord, ItemState.FAILED, item.attempts, code, FAILURES[code].meaning)
            done = self._engine.settler.add(claim, settled, None)
            self._engine.settler.end(claim.batch)
            await done
        return []

    async def _end(self, claim: Claim, rests: list[Rest]) -> None:
        for attempt in range(TRIES):
            try:
                async with self._pool.acquire() as connection:
                    await shards.end(connection, claim.shard, claim.lease, rests)
            except database.PASSING as error:
                await wait_or_give_up(attempt, error, f"ending shard {claim.shard}")
            else:
                return


@contextlib.asynccontextmanager
async def _tools(
    settings: Settings, pool: database.Pool, store: Blobs, leave: Callable[[], None]
) -> AsyncIterator[tuple[Engine, Robots]]:
    """Everything that an attempt and a settle need, opened and closed together. `leave` ends the process in good order."""
    converter = Converter.of(settings)
    settler = Settler(pool, store, settings)
    await converter.start()
    if converter.missing:
        log.warning("this kernel does not confine converters by: %s", ", ".join(converter.missing))
    for fault in converter.faults:
        log.warning("a parser is left out: %s", fault)
    try:
        async with Fetcher.from_settings(settings) as fetcher:
            robots = Robots(fetcher, pool, settings)
            tools = pipeline.Tools(fetcher, converter, robots, store)

            async def attempt(
                target: Way, timeout: float, wants: Sequence[Choices], may_begin: MayBegin, page: Page | None
            ) -> list[Attempt]:
                return await given_back(pipeline.attempt(target, tools, timeout, wants, may_begin, page))

            async def reuse(page: Page, max_age: float | None, wants: Sequence[Choices]) -> list[Attempt] | None:
                return await given_back(pipeline.reuse(page, tools, max_age, wants))

            async def read(file: File, wants: Sequence[Choices]) -> list[Attempt]:
                return await given_back(read_file(file, tools, wants))

            async def given_back(work: Awaitable[T]) -> T:
                try:
                    return await work
                except SpawnFailed:  # not the item's fault: it is given back, and this process is of no more use
                    log.exception("no converter can be started")
                    leave()
                    raise asyncio.CancelledError from None

            async def note(bucket: int, notes: Sequence[hosts.Note]) -> None:
                async with pool.acquire() as connection:
                    await hosts.note(connection, bucket, notes)

            slots, places = asyncio.Semaphore(settings.fetches_per_worker), Places(_FILES)
            yield Engine(settings, settler, attempt, reuse, read, note, slots, places), robots
    finally:
        await settler.close()
        await converter.close()


class Process:
    """What ends a worker process: a signal, in good order, or something that it cannot mend, with a failing exit code."""

    def __init__(self, patience: float) -> None:
        """`patience`: seconds from being told to leave to being gone, whatever hangs (a silent database, say)."""
        self.broken = False
        self._leaving = False
        self._patience = patience
        self._on_leave: list[Callable[[], object]] = []

    def on_leave(self, call: Callable[[], object]) -> None:
        """Have this called when the process is told to leave: at once if it was already, while it was starting."""
        self._on_leave.append(call)
        if self._leaving:
            call()

    def leave(self) -> None:
        if not self._leaving:
            overdue = threading.Timer(self._patience, _vanish)
            overdue.daemon = True
            overdue.start()
        self._leaving = True
        for call in self._on_leave:
            call()

    def break_off(self) -> None:
        self.broken = True
        self.leave()


def _vanish() -> None:
    """Nothing is lost: what was not settled is given to others when the leases run out."""
    log.error("not gone in time; ending at once")
    os._exit(1)


async def _serve(settings: Settings, database_url: str) -> bool:
    """Work until told to leave. True if that was in good order."""
    process = Process(settings.stop_grace + _CLOSING)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.leave)
    store = Blobs(settings.packs_url)
    pool = await database.open_pool(database_url, "thresher work", size=_POOL)
    listener = await database.connect(database_url, "thresher queue", command_timeout=_SILENCE)
    async with (
        pool,
        _tools(settings, pool, store, process.break_off) as (engine, robots),
        Poster.from_settings(settings) as poster,
    ):
        keeper = LeaseKeeper(pool, settings.heartbeat)
        worker = Worker(settings, pool, engine, robots, keeper)
        manager = QueueManager(queue.queries(listener), channel=queue.CHANNEL)
        manager.entrypoint(queue.ENTRYPOINT, accepts_context=True)(worker.handle)
        courier = Courier(settings, pool, poster)
        deliveries = asyncio.create_task(courier.run())
        process.on_leave(worker.drain)
        process.on_leave(courier.leave)
        process.on_leave(manager.shutdown.set)

        def cut_off(_: object) -> None:  # without its connection the library would wait for what cannot come
            log.error("the connection to the database is gone")
            logging.getLogger("pgqueuer").setLevel(logging.CRITICAL)  # it would say so a hundred times
            process.break_off()

        listener.add_termination_listener(cut_off)
        chores = [asyncio.create_task(keeper.run()), asyncio.create_task(upkeep.keep_up(pool, store, settings))]
        try:
            await _run_queue(manager, settings)
        except database.PASSING as error:
            log.warning("the queue cannot be served: %s", error or type(error).__name__)
            process.break_off()
        finally:
            courier.leave()
            await asyncio.gather(deliveries, return_exceptions=True)
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            listener.remove_termination_listener(cut_off)
            listener.terminate()
    return not process.broken


async def _run_queue(manager: QueueManager, settings: Settings) -> None:
    await manager.run(
        dequeue_timeout=timedelta(seconds=settings.heartbeat / 2),
        batch_size=max(1, settings.shards_per_worker // 4),
        max_concurrent_tasks=settings.shards_per_worker,
        heartbeat_timeout=timedelta(seconds=settings.heartbeat),
        shutdown_on_listener_failure=True,
        log_aggregation_interval=timedelta(0),
    )


def _raise_file_limit() -> None:
    """As many open sockets as the system allows: kept connections of many hosts count too."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def run(settings: Settings) -> None:
    """Work until SIGTERM. Raises DatabaseUnavailable and StoreUnusable at the start; exits with 1 when it cannot go on."""
    if not settings.database_url:
        raise ValueError("a worker needs DATABASE_URL")
    _raise_file_limit()
    heap.keep_small()
    if not uvloop.run(_serve(settings, settings.database_url)):
        sys.exit("thresher work: the process could not go on; see the log above")
