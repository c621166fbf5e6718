"""What the tests of the pipeline share: the types of the fixtures, and ways to ask and to answer."""

import asyncio
from typing import Any, Protocol

from tests.origins.raw import Exchange, RawOrigin, Responder

from thresher.domain.choices import Choices
from thresher.domain.failure import Failure, FailureCode
from thresher.domain.url import parse
from thresher.domain.way import way
from thresher.net.fetch import Fetcher
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.item import Tools, attempt
from thresher.pipeline.robots import Robots
from thresher.settings import Settings


class MakeFetcher(Protocol):
    async def __call__(self, **settings: Any) -> tuple[Fetcher, Settings]: ...


class MakeRobots(Protocol):
    async def __call__(self, **settings: Any) -> Robots: ...


async def allowed(robots: Robots, url: str) -> bool:
    """Whether a URL may be fetched; a robots.txt that cannot be had fails the test."""
    permission = await robots.ask(parse(url))
    assert not permission.unavailable, permission.failure
    return permission.failure is None


async def refused(robots: Robots, url: str) -> Failure:
    """The failure of a check that must fail."""
    permission = await robots.ask(parse(url))
    assert permission.failure is not None
    assert permission.unavailable == (permission.failure.code is not FailureCode.ROBOTS_DISALLOWED)
    return permission.failure


async def attempts(url: str, tools: Tools, timeout: float, choices: Choices) -> Attempt:
    """The last of the attempts that an item takes: one for each host that redirects lead to."""
    records: list[dict[str, Any]] = []
    while True:
        [ended] = await attempt(way(url, records), tools, timeout, [choices])
        if ended.moved is None:
            return ended
        records.append(ended.record)


def asked(origin: RawOrigin) -> int:
    """How often robots.txt was asked for."""
    return sum(exchange.path == "/robots.txt" for exchange in origin.seen)


class Held:
    """A responder that says when it was asked, and answers once it is released."""

    def __init__(self, answer: Responder) -> None:
        self.arrived, self.release = asyncio.Event(), asyncio.Event()
        self._answer = answer

    async def __call__(self, exchange: Exchange) -> None:
        self.arrived.set()
        await self.release.wait()
        await self._answer(exchange)
