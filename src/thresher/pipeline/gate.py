"""What is asked before each request of an attempt: is it still the same host, does robots.txt allow it, is it time.

Knows nothing of HTTP. Whether it is time is known by whoever runs many items of a host.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from thresher.domain.choices import RobotsMode
from thresher.domain.failure import FailureCode, ItemFailed
from thresher.domain.url import Url
from thresher.pipeline.robots import Permission

# Asked right before a request begins, with the Crawl-delay of its site in seconds: may it? What says yes counts it as begun.
MayBegin = Callable[[float | None], Awaitable[bool]]


async def at_once(crawl_delay: float | None) -> bool:
    """For a caller that has one item and no other at that host."""
    return True


class RobotsGate(Protocol):
    """What a site's robots.txt says about a URL. Never raises ItemFailed."""

    async def ask(self, url: Url) -> Permission: ...


@dataclass(slots=True)
class Gate:
    """The gate of one attempt, whose first URL is `home`. After its use: what it saw, for the record."""

    home: Url
    robots: RobotsGate
    mode: RobotsMode
    may_begin: MayBegin
    said: str | None = None  # of robots.txt, where a batch wants it reported: allowed, disallowed or unavailable
    retry_after: float | None = None  # seconds, where robots.txt could not be had and the site said when to return
    seconds: float = 0.0  # spent on waiting for robots.txt

    async def open(self, timeout: float) -> bool:
        """Whether the first request may begin now. Raises ItemFailed if it must not, or robots.txt does not come in time."""
        try:
            async with asyncio.timeout(timeout):
                return await self.passes(self.home)
        except TimeoutError:
            raise ItemFailed(FailureCode.TIMEOUT, "robots.txt did not come in time.") from None

    async def passes(self, url: Url) -> bool:
        """Whether a request to this URL may begin now, in this attempt. Raises ItemFailed if robots.txt forbids it."""
        if url.host != self.home.host:
            return False
        delay = await self._ask(url) if self.mode is not RobotsMode.IGNORE else None
        return await self.may_begin(delay)

    async def _ask(self, url: Url) -> float | None:
        begun = time.monotonic()
        try:
            permission = await self.robots.ask(url)
        finally:
            self.seconds += time.monotonic() - begun
        failure = permission.failure
        if self.mode is RobotsMode.REPORT:
            if self.said in (None, "allowed"):  # after redirects, the first word against it stays
                self.said = "allowed" if failure is None else "unavailable" if permission.unavailable else "disallowed"
        elif failure is not None:
            self.retry_after = permission.retry_after
            raise ItemFailed(failure.code, failure.detail)
        return permission.crawl_delay
