"""A real PostgreSQL for every test that asks for one: one server a run, also under `pytest -n`, a fresh copy per test."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support import scratch
from tests.support.postgres import TestServer, fresh

from thresher.storage import database
from thresher.storage.database import Connection, Pool

_SERVER = pytest.StashKey[TestServer]()

scratch.use_memory()


def _own_server(config: pytest.Config) -> TestServer:
    """The server of this run, started by the first who asks in the controlling process."""
    if _SERVER not in config.stash:
        server = TestServer(os.environ.get("THRESHER_TEST_DATABASE_URL"))
        asyncio.run(server.start())
        config.stash[_SERVER] = server
    return config.stash[_SERVER]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each worker process of pytest-xdist where the server is."""
    server = _own_server(node.config)
    node.workerinput["test_server"] = (server.url, server.template)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _SERVER in config.stash:
        asyncio.run(config.stash[_SERVER].stop())


@pytest.fixture(scope="session")
def database_server(pytestconfig: pytest.Config) -> tuple[str, str]:
    """The URL of the server of this run, and the name of its migrated template."""
    told: tuple[str, str] | None = getattr(pytestconfig, "workerinput", {}).get("test_server")
    if told is None:
        server = _own_server(pytestconfig)
        told = (server.url, server.template)
    return told


@pytest.fixture
async def empty_database_url(database_server: tuple[str, str]) -> AsyncIterator[str]:
    """A database of this test alone, with nothing in it."""
    async with fresh(database_server[0]) as url:
        yield url


@pytest.fixture
async def database_url(database_server: tuple[str, str]) -> AsyncIterator[str]:
    """A migrated database of this test alone."""
    async with fresh(*database_server) as url:
        yield url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Up to ten connections to the test's database, set up as Thresher's own."""
    opened = await database.open_pool(database_url, "tests", size=10)
    yield opened
    await opened.close()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """One connection to the test's database, set up as Thresher's own."""
    opened = await database.connect(database_url, "tests")
    yield opened
    await opened.close()
