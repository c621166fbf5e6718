"""The database that an operator's command works on, whether a server runs or not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from thresher.cli.errors import CommandError
from thresher.cli.preflight import check_migrated
from thresher.settings import Settings
from thresher.storage.database import Connection, DatabaseUnavailable, connect
from thresher.storage.embedded import DataDirInUse, EmbeddedPostgres, url_of_running

BUSY_SECONDS = 30.0  # how long another Thresher may take to start or to stop on our data dir
POLL_SECONDS = 0.2


@asynccontextmanager
async def operators_connection(settings: Settings, *, make: bool) -> AsyncIterator[Connection]:
    """A connection to DATABASE_URL; else to the server's PostgreSQL on the data dir; else to one started for the moment.

    With `make`, a data dir without a database gets one. Raises CommandError, EmbeddedError and DatabaseUnavailable.
    """
    async with AsyncExitStack() as parts:
        connection = await connect(await _url(parts, settings, make), "thresher command")
        parts.push_async_callback(connection.close)
        yield connection


async def _url(parts: AsyncExitStack, settings: Settings, make: bool) -> str:
    if settings.database_url is not None:
        await check_migrated(settings.database_url)
        return settings.database_url
    if not make and not (settings.data_dir / "postgres").exists():
        raise CommandError(
            f"there is no database in {settings.data_dir}: no server has run there yet. Name another folder "
            "with --data-dir, or a PostgreSQL in DATABASE_URL."
        )
    deadline = asyncio.get_running_loop().time() + BUSY_SECONDS
    while True:
        postgres = EmbeddedPostgres(settings.data_dir, settings.database_os_user)
        try:
            await postgres.start()
        except DataDirInUse as error:
            if (url := await _running(settings)) is not None:
                return url
            if asyncio.get_running_loop().time() > deadline:
                raise CommandError(
                    f"{error} Its own PostgreSQL does not answer: does it have a DATABASE_URL?"
                ) from error
            await asyncio.sleep(POLL_SECONDS)
        else:
            parts.push_async_callback(postgres.stop)
            from thresher.cli.setup import prepare_database  # it brings the queue library along

            await prepare_database(postgres.url, settings.bootstrap_key, make=False)
            return postgres.url


async def _running(settings: Settings) -> str | None:
    """The URL of the other Thresher's PostgreSQL, if it can be used already."""
    url = url_of_running(settings.data_dir)
    if url is not None:
        try:
            await check_migrated(url)
        except (CommandError, DatabaseUnavailable):
            return None
    return url
