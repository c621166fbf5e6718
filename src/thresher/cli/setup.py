"""What a database needs before anything runs on it: its schema, a first API key, and the key of this user's commands."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from thresher.cli import runfile
from thresher.cli.runfile import Endpoint
from thresher.domain import ids
from thresher.storage import accounts, keys
from thresher.storage.database import PASSING, DatabaseUnavailable, connect
from thresher.storage.migrations import migrate

log = logging.getLogger("thresher.setup")


async def prepare_database(database_url: str, key: str | None, *, make: bool = True) -> str | None:
    """Bring the schema up to date and see to it that an account exists, and `key`, if it is given.

    With `make`, a database without any key of an operator gets one. Returns it, to be shown once.
    """
    await migrate(database_url)
    return await accounts.bootstrap(database_url, key, make=make)


@asynccontextmanager
async def announced(data_dir: Path, url: str, database_url: str) -> AsyncIterator[Endpoint]:
    """Have server.json say where the server is, with a key made for it alone, while the block runs.

    The file is written before the key is stored and taken away after it is deleted. So whatever is killed in between,
    the file names every such key that the database may hold, and the next start deletes what a dead one left.
    """
    if (left := runfile.read(data_dir)) is not None:
        await _forget(database_url, left.endpoint.key)
    endpoint = Endpoint(url, ids.api_key())
    runfile.write(data_dir, endpoint)
    try:
        connection = await connect(database_url, "thresher setup")
        try:
            await keys.add(connection, await accounts.first(connection), endpoint.key, keys.LOCAL)
        finally:
            await connection.close()
        yield endpoint
    finally:
        try:
            await _forget(database_url, endpoint.key)
        except (DatabaseUnavailable, *PASSING):
            log.warning("the database is away; the key in server.json is deleted at the next start")
        else:
            runfile.remove(data_dir)


async def _forget(database_url: str, key: str) -> None:
    connection = await connect(database_url, "thresher setup")
    try:
        await keys.delete_local(connection, key)
    finally:
        await connection.close()
