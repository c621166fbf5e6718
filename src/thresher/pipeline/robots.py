"""Whether a site's robots.txt lets us fetch a URL, asked of the site once in 24 hours for the whole cluster."""

import asyncio
import time
from collections import OrderedDict

from thresher.convert.decode import decode_body
from thresher.domain import robots, url
from thresher.domain.failure import FailureCode, ItemFailed
from thresher.domain.robots import Rules
from thresher.net.fetch import Fetcher
from thresher.pipeline.verdict import check_status, parse_retry_after
from thresher.settings import Settings
from thresher.storage import hosts
from thresher.storage.database import Pool

_CACHED = 10_000  # origins remembered in this process
_LOCAL_SECONDS = 300.0  # before the database is asked again
_SHARED_SECONDS = 86_400.0  # RFC 9309 section 2.4: not more than 24 hours
_MAX_DECODED = 8 * robots.MAX_BYTES
_TIMEOUT = 15.0  # seconds for robots.txt, redirects included


class Robots:
    """One per worker process. Concurrent questions about one origin share one answer."""

    def __init__(self, fetcher: Fetcher, pool: Pool, settings: Settings) -> None:
        self._fetcher, self._pool, self._agent = fetcher, pool, settings.user_agent
        self._cache: OrderedDict[str, tuple[float, Rules]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Rules]] = {}

    async def check(self, target: url.Url) -> None:
        """Raise ItemFailed(robots_disallowed) if the URL is forbidden.

        A robots.txt that cannot be had forbids everything for now (RFC 9309 section 2.3.1.4): its own failure is raised,
        which says more than `disallowed` and is retried where that can help. 4xx means that there are no rules.
        """
        rules = await self._rules(target.origin)
        if not rules.allows(target.path):
            raise ItemFailed(FailureCode.ROBOTS_DISALLOWED, f"{target.origin}/robots.txt disallows this path.")

    async def _rules(self, origin: str) -> Rules:
        cached = self._cache.get(origin)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        task = self._asking.get(origin)
        if task is None:
            task = self._asking[origin] = asyncio.create_task(self._ask(origin))
            task.add_done_callback(lambda done: self._answered(origin, done))
        return await asyncio.shield(task)

    def _answered(self, origin: str, task: "asyncio.Task[Rules]") -> None:
        self._asking.pop(origin, None)
        if not task.cancelled() and task.exception() is None:
            self._cache[origin] = (time.monotonic() + _LOCAL_SECONDS, task.result())
            self._cache.move_to_end(origin)
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)

    async def _ask(self, origin: str) -> Rules:
        async with self._pool.acquire() as connection:
            known = await hosts.robots(connection, origin)
        if known is not None:
            return Rules.from_json(known)
        rules = await self._fetch(origin)
        async with self._pool.acquire() as connection:
            await hosts.remember_robots(connection, origin, rules.to_json(), _SHARED_SECONDS)
        return rules

    async def _fetch(self, origin: str) -> Rules:
        answer = await self._fetcher.fetch(url.parse(f"{origin}/robots.txt"), timeout=_TIMEOUT)
        if 400 <= answer.status < 500 and answer.status != 429:
            return Rules()
        try:
            check_status(answer.status, parse_retry_after(answer.headers.get("retry-after")))
        except ItemFailed as failed:
            raise ItemFailed(failed.failure.code, f"robots.txt: {failed.failure.detail}") from None
        # The cap is on what is decoded, which is small enough to do here: 500 KiB count, more is tolerated.
        return robots.parse(decode_body(answer.body, answer.content_encoding, _MAX_DECODED), self._agent)
