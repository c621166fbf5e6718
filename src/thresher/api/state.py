"""What the API holds while it runs: the pool, the blob store, the cluster's secret. Opened once, closed at the end.

Every route reaches them through here; a request's reads happen in one snapshot.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar, cast
from weakref import WeakValueDictionary

from fastapi import Request

from thresher.settings import Settings
from thresher.storage import accounts
from thresher.storage.accounts import Account
from thresher.storage.blobs import Blobs
from thresher.storage.database import Connection, Pool, open_pool

T = TypeVar("T")

POOL = 10  # connections; a request holds one for milliseconds, a submit of 10,000 items for tenths of a second
ACQUIRE = 10.0  # seconds a request waits for one before it is told to come back
LINE = 30.0  # seconds a submit waits for those of its account before it, a hundred large ones or a database that hangs
CLOSE = 5.0  # seconds that connections get to end in good order

IN_A_THREAD = 64 * 1024  # bytes; smaller bodies are read faster than a thread is started


@dataclass(frozen=True, slots=True)
class State:
    settings: Settings
    pool: Pool
    blobs: Blobs
    secret: bytes
    hosted_secret: bytes  # signs the URLs of contents
    # Whoever reads a large body: 60 MB of `[[],[],...` are 2 GB of objects, which may be there once but not ten times.
    _large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    # Whoever reads a large result: one of 20 MB may be some hundreds once it is text.
    large_results: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    # Whoever forecasts a large batch: one may have a hundred times the items of a create, and is kept until its answer.
    large_forecasts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    # Whoever has two batches counted, of a million items perhaps: some seconds, with a connection.
    counting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    # Whose submits wait for one another.
    _payers: WeakValueDictionary[int, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def parse(self, read: Callable[[bytes, Settings], T], body: bytes) -> T:
        """What `read` makes of a body; of a large one in a thread, one at a time."""
        if len(body) <= IN_A_THREAD:
            return read(body, self.settings)
        async with self._large:
            return await asyncio.to_thread(read, body, self.settings)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection without a transaction: the storage function called opens its own."""
        async with self.pool.acquire(timeout=ACQUIRE) as connection:
            yield connection

    @asynccontextmanager
    async def submitting(self, caller: Account) -> AsyncIterator[Connection]:
        """A connection for items of this account. One with a limit on its credits lets one submit at a time through in the
        database: here they wait without a connection, of which they would soon hold all, and not for ever.
        """
        if not caller.limited:
            async with self.connection() as connection:
                yield connection
            return
        turn = self._payers.setdefault(caller.id, asyncio.Lock())
        async with asyncio.timeout(LINE):
            await turn.acquire()
        try:
            async with self.connection() as connection:
                yield connection
        finally:
            turn.release()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A connection on which all reads see one instant, so that counts and items agree."""
        async with (
            self.pool.acquire(timeout=ACQUIRE) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection


@asynccontextmanager
async def open_state(settings: Settings) -> AsyncIterator[State]:
    """Open what the API needs. Raises DatabaseUnavailable; ValueError if there is no database URL."""
    if settings.database_url is None:
        raise ValueError("the API needs a database URL")
    pool = await open_pool(settings.database_url, "thresher api", size=POOL)
    try:
        async with pool.acquire() as connection:
            secret = await accounts.secret(connection, "retrieve_id")
            hosted_secret = await accounts.secret(connection, "hosted_url")
        yield State(settings, pool, Blobs(settings.packs_url), secret, hosted_secret)
    finally:
        try:
            await asyncio.wait_for(pool.close(), CLOSE)
        except TimeoutError:
            pool.terminate()


def state_of(request: Request) -> State:
    """The running API's state."""
    return cast(State, request.app.state.thresher)
