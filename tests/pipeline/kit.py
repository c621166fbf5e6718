"""What the tests of the pipeline share: the types of the fixtures, and ways to ask and to answer."""

import asyncio
from typing import Any, Protocol

import pytest
from tests.origins.raw import Exchange, RawOrigin, Responder

from thresher.domain.failure import Failure, ItemFailed
from thresher.domain.url import parse
from thresher.net.fetch import Fetcher
from thresher.pipeline.robots import Robots
from thresher.settings import Settings


class MakeFetcher(Protocol):
    async def __call__(self, **settings: Any) -> tuple[Fetcher, Settings]: ...


class MakeRobots(Protocol):
    async def __call__(self, **settings: Any) -> Robots: ...


async def allowed(robots: Robots, url: str) -> bool:
    """Whether a URL may be fetched; a robots.txt that cannot be had fails the test."""
    try:
        await robots.check(parse(url))
    except ItemFailed as failed:
        if failed.failure.code != "robots_disallowed":
            raise
        return False
    return True


async def refused(robots: Robots, url: str) -> Failure:
    """The failure of a check that must fail."""
    with pytest.raises(ItemFailed) as caught:
        await robots.check(parse(url))
    return caught.value.failure


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
