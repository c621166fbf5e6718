"""Connections to PostgreSQL: how they are made, and what every one of them is set to.

Plain SQL on asyncpg. A transaction is opened where a module's public function begins and committed where it
ends; nothing else commits.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

SCHEMA = "thresher"  # our tables; the queue library's live in a schema of their own (storage/queue.py)

if TYPE_CHECKING:  # generic in the stubs only
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection, Pool = asyncpg.Connection, asyncpg.Pool

# Errors that pass by themselves: the connection, a deadlock, a server that is starting, stopping or full.
PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a statement meets on a connection that a crashing server left in the middle
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    OSError,
    TimeoutError,
)

_UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError)

# jit: plans here run for milliseconds, compiling them takes a hundred. enable_seqscan: every statement has its index, and
# a plan is kept for long; one made while a table was small must not read it whole when it has a million rows. The time
# zone is for people who look with psql.
_SESSION = {"search_path": SCHEMA, "jit": "off", "enable_seqscan": "off", "timezone": "UTC"}


class DatabaseUnavailable(Exception):
    """PostgreSQL cannot be reached or refuses us; the message is for the operator, without the password."""


async def prepare(connection: Any) -> None:
    """Give a new connection its codec: jsonb in and out is Python, by orjson."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
        format="binary",
    )


async def connect(url: str, name: str, *, command_timeout: float | None = None) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection; the caller closes it. `name` is what pg_stat_activity shows. Raises DatabaseUnavailable."""
    try:
        connection = await asyncpg.connect(
            url, server_settings={**_SESSION, "application_name": name}, command_timeout=command_timeout, timeout=10
        )
    except _UNREACHABLE as error:
        raise DatabaseUnavailable(_why(error)) from error
    await prepare(connection)
    return connection


async def open_pool(url: str, name: str, *, size: int) -> Pool:
    """A pool of up to `size` connections; the caller closes it. Raises DatabaseUnavailable."""
    try:
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            init=prepare,
            reset=_leave_as_it_is,
            server_settings={**_SESSION, "application_name": name},
            command_timeout=60,
            timeout=10,
        )
    except _UNREACHABLE as error:
        raise DatabaseUnavailable(_why(error)) from error


@asynccontextmanager
async def turn(connection: Connection, chore: int) -> AsyncIterator[bool]:
    """Whether it is this process's turn at a chore of the cluster; nobody else gets one while the block runs."""
    if not await connection.fetchval("SELECT pg_try_advisory_lock(2, $1)", chore):
        yield False
        return
    try:
        yield True
    finally:
        try:
            await connection.execute("SELECT pg_advisory_unlock(2, $1)", chore)
        except BaseException:
            connection.terminate()  # else the lock stays with a connection that nobody knows to hold it
            raise


async def _leave_as_it_is(_: Any) -> None:
    """In place of four statements whenever a connection goes back into the pool (an open transaction is rolled back before).

    Nothing of ours changes a session, but for locks of the session, which who takes them gives back.
    """


def _why(error: Exception) -> str:
    if isinstance(error, ValueError) and not isinstance(error, asyncpg.InterfaceError):
        # Its text quotes what was taken for the port, which is a part of the password.
        return "The URL cannot be understood: special characters in a password must be percent-encoded"
    return f"PostgreSQL cannot be reached: {error or type(error).__name__}"
