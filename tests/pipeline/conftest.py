"""Fetchers and robots on loopback, under settings of the test's choice, and the check that nothing is left behind."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.pipeline.kit import MakeFetcher, MakeRobots

from thresher.net.fetch import Fetcher
from thresher.pipeline.robots import Robots
from thresher.settings import Settings
from thresher.storage.database import Pool


@pytest.fixture
async def make_fetcher() -> AsyncIterator[MakeFetcher]:
    """Fetchers of pages that are closed after the test."""
    async with AsyncExitStack() as stack:

        async def make(**given: Any) -> tuple[Fetcher, Settings]:
            settings = Settings(**{"fetch_allow": "127.0.0.0/8", "user_agent": "Thresher/test", **given})
            return await stack.enter_async_context(Fetcher.from_settings(settings)), settings

        yield make


@pytest.fixture
def make_robots(make_fetcher: MakeFetcher, pool: Pool) -> MakeRobots:
    async def make(**given: Any) -> Robots:
        fetcher, settings = await make_fetcher(**given)
        return Robots(fetcher, pool, settings)

    return make


@pytest.fixture
async def robots(make_robots: MakeRobots) -> Robots:
    return await make_robots()


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """What nobody retrieved or closed is reported when it is collected: collect before the test ends."""
    problems: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(str(context)))
    yield
    gc.collect()
    assert not problems
