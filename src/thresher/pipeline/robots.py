"""Whether a site's robots.txt lets us fetch a URL, asked of the site once in 24 hours for the whole cluster.

Answers are remembered in the process and in the database; failures for a few seconds in the process only. Knows
nothing of items; what robots.txt says is for domain/robots.py.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from thresher.convert.decode import decode_body
from thresher.domain import robots, url
from thresher.domain.failure import Failure, FailureCode, ItemFailed
from thresher.domain.robots import Rules
from thresher.net.fetch import Fetched, Fetcher
from thresher.pipeline.answers import Answer, Answers
from thresher.pipeline.verdict import check_status, parse_retry_after
from thresher.settings import Settings
from thresher.storage import database, hosts
from thresher.storage.database import Pool

log = logging.getLogger("thresher.robots")

_LOCAL_SECONDS = 300.0  # before the database is asked again
_SHARED_SECONDS = 86_400.0 - _LOCAL_SECONDS  # RFC 9309 section 2.4: not more than 24 hours, with the last local ones
_FAILED_SECONDS = 5.0  # enough for the items of a dead host that are in hand, too short to outlast an outage
_TIMEOUT = 15.0  # seconds for robots.txt, redirects included
_REDIRECTS = 5  # RFC 9309 section 2.3.1.2: beyond these, there may be taken to be none
# The site answers, but has no robots.txt to give: what it redirects to is none.
_NONE_THERE = frozenset({FailureCode.TOO_MANY_REDIRECTS, FailureCode.INVALID_URL})


class Robots:
    """One per worker process. Concurrent questions about one origin share one answer. `clock` is in seconds, monotonic."""

    def __init__(
        self, fetcher: Fetcher, pool: Pool, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetcher, self._pool, self._settings = fetcher, pool, settings
        self._token = robots.product_token(settings.user_agent)
        self._answers = Answers(clock)
        self._asking: dict[str, asyncio.Task[Answer]] = {}

    async def check(self, target: url.Url) -> None:
        """Raise ItemFailed(robots_disallowed) if the URL is forbidden.

        A robots.txt that cannot be had forbids everything for now (RFC 9309 section 2.3.1.4): its own failure is raised,
        which says more than `disallowed` and is retried where that can help. 4xx means that there are no rules.
        """
        answer = self._answers.get(target.origin) or await self._asked(target.origin)
        if isinstance(answer, Failure):
            raise ItemFailed(answer.code, answer.detail)
        if not answer.allows(target.path):
            raise ItemFailed(FailureCode.ROBOTS_DISALLOWED, f"{target.origin}/robots.txt disallows this path.")

    async def _asked(self, origin: str) -> Answer:
        task = self._asking.get(origin)
        if task is None:
            task = self._asking[origin] = asyncio.create_task(self._ask(origin), name=f"robots of {origin}")
            task.add_done_callback(lambda done: self._done(origin, done))
        # Waited for, not awaited: whoever is cancelled here takes the answer from nobody else.
        await asyncio.wait({task})
        return task.result()

    def _done(self, origin: str, task: asyncio.Task[Answer]) -> None:
        del self._asking[origin]
        # Asking for the exception also marks it as seen, should every asker be gone by now.
        if not task.cancelled() and task.exception() is None:
            answer = task.result()
            self._answers.put(origin, answer, _FAILED_SECONDS if isinstance(answer, Failure) else _LOCAL_SECONDS)

    async def _ask(self, origin: str) -> Answer:
        rules = await self._recall(origin)
        if rules is not None:
            return rules
        try:
            rules = await self._fetch(origin)
        except ItemFailed as failed:
            # A plain failure, without what the fetcher adds: status and sizes of robots.txt are not the page's.
            return Failure(failed.failure.code, f"robots.txt: {failed.failure.detail}")
        await self._share(origin, rules)
        return rules

    async def _fetch(self, origin: str) -> Rules:
        try:
            answer = await self._fetcher.fetch(url.parse(f"{origin}/robots.txt"), timeout=_TIMEOUT)
        except ItemFailed as failed:
            too_few_followed = self._settings.max_redirects < _REDIRECTS
            code = failed.failure.code
            if code not in _NONE_THERE or (code is FailureCode.TOO_MANY_REDIRECTS and too_few_followed):
                raise
            return Rules()
        if len(answer.redirects) > _REDIRECTS:
            return Rules()
        try:
            check_status(answer.status, parse_retry_after(answer.headers.get("retry-after")))
        except ItemFailed as failed:
            if failed.failure.code is not FailureCode.HTTP_4XX:
                raise
            return Rules()  # RFC 9309 section 2.3.1.3: unavailable
        # In a thread: half a megabyte of rules takes a while, and a bomb takes longer until the cap stops it.
        return await asyncio.to_thread(self._read, answer)

    def _read(self, answer: Fetched) -> Rules:
        data = decode_body(answer.body, answer.content_encoding, self._limit(answer))
        return robots.parse(data, self._settings.user_agent)

    def _limit(self, answer: Fetched) -> int:
        """In bytes: what a page may have. A large file is no error, only its first part is read."""
        return max(self._settings.max_decoded_bytes, len(answer.body))

    async def _recall(self, origin: str) -> Rules | None:
        """What the cluster knows. Rules that were picked for another user agent are not ours."""
        try:
            async with self._pool.acquire() as connection:
                known = await hosts.robots(connection, origin)
        except database.PASSING as error:
            log.warning("robots.txt of %s is not looked up: %s", origin, error or type(error).__name__)
            return None
        return Rules.from_json(known) if known is not None and known.get("agent") == self._token else None

    async def _share(self, origin: str, rules: Rules) -> None:
        try:
            async with self._pool.acquire() as connection:
                known = rules.to_json() | {"agent": self._token}
                await hosts.remember_robots(connection, origin, known, _SHARED_SECONDS)
        except database.PASSING as error:
            log.warning("robots.txt of %s is not shared: %s", origin, error or type(error).__name__)
