"""The courier of a worker process: events that are due, signed and posted, and what became of each attempt recorded.

It has room of its own beside the shards', so neither waits for the other. A receiver, which is a server that an account
names, gets a few posts at a time from a process, so that one which hangs leaves room for the others. No URL is logged: receivers put secrets into theirs.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import orjson

from thresher.domain import ids, url, webhook
from thresher.domain.failure import FAILURES, Failure, FailureCode
from thresher.domain.webhook import EventState, EventType
from thresher.engine.patience import TRIES, wait_or_give_up
from thresher.net.dial import POSTS
from thresher.net.post import Posted, Poster
from thresher.pipeline.verdict import parse_retry_after
from thresher.settings import Settings
from thresher.storage import accounts, changes, database, feeds, outbox, signing
from thresher.storage.outbox import Attempt, Outgoing

log = logging.getLogger("thresher.courier")

ROOM = POSTS
HANDFUL = 4  # events in one claim, and posts to one receiver beyond which no more of it are claimed
PAUSE = 0.5  # seconds between two looks when there is nothing to do
COUNTS = 2  # counts of changes at a time: each has a connection for seconds, and the leases of the shards are renewed by the same
SPARE = 30.0  # seconds beyond the timeout until an attempt of which nothing is heard is made again


class Courier:
    """The deliveries of one process."""

    def __init__(self, settings: Settings, pool: database.Pool, poster: Poster) -> None:
        self._settings, self._pool, self._poster = settings, pool, poster
        self._lease = timedelta(seconds=settings.webhook_timeout + SPARE)
        self._counting = asyncio.Semaphore(COUNTS)
        self._leaving = False
        self._stir = asyncio.Event()  # an end of a post may be the beginning of the next
        self._under_way: dict[asyncio.Task[None], Outgoing] = {}

    def leave(self) -> None:
        """Begin nothing more; `run` ends within `stop_grace`."""
        self._leaving = True
        self._stir.set()

    async def run(self) -> None:
        """Deliver until told to leave. Whatever goes wrong with the database is tried again."""
        retrieve_id: feeds.RetrieveId | None = None
        while not self._leaving:
            found = False
            self._stir.clear()
            try:
                if retrieve_id is None:
                    retrieve_id = await self._retrieve_id()
                found = await self._look(retrieve_id)
            except database.PASSING as error:
                log.warning("deliveries wait for the database: %s", error or type(error).__name__)
            except Exception:
                log.exception("deliveries failed, to be tried again")
            if not found and not self._leaving:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stir.wait(), PAUSE)
        await self._end()

    async def _retrieve_id(self) -> feeds.RetrieveId:
        async with self._pool.acquire() as connection:
            return partial(ids.retrieve_id, await accounts.secret(connection, "retrieve_id"))

    async def _look(self, retrieve_id: feeds.RetrieveId) -> bool:
        """Begin what is due; whether there was anything."""
        free = min(HANDFUL, ROOM - len(self._under_way))
        if free <= 0:
            return False
        posts = Counter(event.receiver for event in self._under_way.values())
        busy = [receiver for receiver, count in posts.items() if count >= HANDFUL]
        async with self._pool.acquire() as connection:
            if not await outbox.stirs(connection):
                return False
            fed = await feeds.feed(connection, retrieve_id)
            events = await outbox.claim(connection, busy, free, self._lease)
        for event in events:
            task = asyncio.create_task(self._deliver(event))
            self._under_way[task] = event
            task.add_done_callback(self._ended)
        return fed or bool(events)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._stir.set()

    async def _deliver(self, event: Outgoing) -> None:
        try:
            await self._attempt(event)
        except Exception as error:  # the lease runs out, and the attempt is made again: at least once
            log.warning("the attempt at %s is not recorded: %s", event.id, error or type(error).__name__)

    async def _attempt(self, event: Outgoing) -> None:
        if event.url is None or webhook.is_uncounted(event.body):
            await self._count(event)
            return
        # A test is for somebody who waits for its end.
        times = self._settings.webhook_times[: 1 if event.type is EventType.TEST else None]
        now, begun, number = datetime.now(UTC), time.monotonic(), f"{event.tries + 1}/{len(times)}"
        async with self._pool.acquire() as connection:
            keys = await signing.keys(connection, event.account_id)
        body = orjson.dumps(webhook.envelope(event.id, event.type, event.body, now, number))
        headers = webhook.headers(event.id, body, now, keys) | webhook.parse_api_headers(event.body, body, keys)
        posted = await self._post(event, event.url, body, headers)
        took = time.monotonic() - begun  # the wall's clock may be set meanwhile
        move = webhook.move(posted.status, parse_retry_after(posted.retry_after), times, event.tries + 1, took)
        failure = posted.failure
        attempt = Attempt(
            number,
            now,
            posted.ms,
            posted.status,
            posted.head,
            failure.code if failure else None,
            failure.detail if failure else None,
        )
        await self._patiently(
            event, lambda connection: outbox.record(connection, event, attempt, move.state, move.delay)
        )
        if move.state in (EventState.GONE, EventState.GIVEN_UP):
            log.warning("%s was not delivered: %s", event.id, "410" if move.state is EventState.GONE else number)

    async def _count(self, event: Outgoing) -> None:
        """Have the event say what has changed; then it is due anew, or goes nowhere."""
        async with self._counting, self._pool.acquire() as connection:
            await changes.conclude(connection, event)

    async def _post(self, event: Outgoing, target: str, body: bytes, headers: dict[str, str]) -> Posted:
        try:
            return await self._poster.post(
                url.parse(target), {"Content-Type": "application/json", **headers}, body, self._settings.webhook_timeout
            )
        except Exception:  # counted as an attempt, or it would be made for ever
            log.exception("the attempt at %s", event.id)
            return Posted(0, failure=Failure(FailureCode.INTERNAL, FAILURES[FailureCode.INTERNAL].meaning))

    async def _patiently(self, event: Outgoing, work: Callable[[database.Connection], Awaitable[None]]) -> None:
        for attempt in range(TRIES):
            try:
                async with self._pool.acquire() as connection:
                    await work(connection)
            except database.PASSING as error:
                await wait_or_give_up(attempt, error, f"recording {event.id}")
            else:
                return

    async def _end(self) -> None:
        """Let what is under way end in time; the rest is given back, to be attempted again by others."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(set(self._under_way), timeout=self._settings.stop_grace)
        events = [self._under_way[task] for task in late if task in self._under_way]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        with suppress(*database.PASSING):
            async with self._pool.acquire() as connection:
                for event in events:
                    await outbox.give_back(connection, event)
