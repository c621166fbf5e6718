"""A real PostgreSQL for a test run: one server, one migrated template, a fresh copy of it for each test.

Knows nothing of pytest; tests/conftest.py decides who starts it. With THRESHER_TEST_DATABASE_URL another server is used.
"""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from thresher.storage.embedded import EmbeddedPostgres, cluster
from thresher.storage.migrations import migrate

# What a test database may lose in a power cut is nothing that anyone wants.
_HASTY = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


def named(url: str, database: str) -> str:
    """The URL of another database of the same server."""
    parts = urlsplit(url)
    text = urlunsplit(parts._replace(path=f"/{database}"))
    return text if parts.netloc else text.replace(f"{parts.scheme}:/", f"{parts.scheme}:///", 1)


class TestServer:
    """A server with a migrated template database. `start` and `stop` are for the process that owns the run."""

    __test__ = False

    def __init__(self, url: str | None) -> None:
        self.url = url or ""
        self.template = f"template_{secrets.token_hex(6)}"
        self._postgres: EmbeddedPostgres | None = None
        self._folder: Path | None = None

    async def start(self) -> None:
        if not self.url:
            self._folder = Path(tempfile.mkdtemp(prefix="thresher-tests-"))
            self._postgres = EmbeddedPostgres(self._folder / "data")
            with pytest.MonkeyPatch.context() as patch:
                for name, value in _HASTY.items():
                    patch.setitem(cluster.SETTINGS, name, value)
                await self._postgres.start()
            self.url = self._postgres.url
        await execute(self.url, f"CREATE DATABASE {self.template}")
        await migrate(named(self.url, self.template))
        # PostgreSQL copies only a database that nobody is connected to.
        await execute(self.url, f"ALTER DATABASE {self.template} ALLOW_CONNECTIONS false")

    async def stop(self) -> None:
        if self._postgres is None:
            await execute(self.url, f"DROP DATABASE IF EXISTS {self.template} WITH (FORCE)")
            return
        await self._postgres.stop(fast=False)
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder)


async def execute(url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def fresh(url: str, template: str = "template0") -> AsyncIterator[str]:
    """The URL of a new database, a copy of `template`, dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    # Copied as files: writing each page of it to the log, as is the default, takes three times as long.
    await execute(url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield named(url, name)
    finally:
        await execute(url, f"DROP DATABASE {name} WITH (FORCE)")
