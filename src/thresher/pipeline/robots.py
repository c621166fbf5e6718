"""What a site's robots.txt says about a URL, asked of the site once in 24 hours for the whole cluster.

Answers are remembered in the process and in the database; failures for a few seconds in the process only. Knows
nothing of items, nor what a batch makes of an answer (pipeline/gate.py); what robots.txt says is for domain/robots.py.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from thresher.convert.decode import decode_body
from thresher.convert.prefix import decode_prefix
from thresher.domain import robots, url
from thresher.domain.failure import Failure, FailureCode, ItemFailed
from thresher.domain.robots import Rules
from thresher.net.fetch import Fetched, Fetcher, FetchFailed
from thresher.pipeline.answers import Answer, Answers, Unavailable
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
# No connection to a host: robots.txt has nothing to do with that.
_NO_CONNECTION = frozenset(
    {
        FailureCode.BLOCKED_ADDRESS,
        FailureCode.DNS_NOT_FOUND,
        FailureCode.DNS_FAILED,
        FailureCode.PROXY_FAILED,
        FailureCode.CONNECT_REFUSED,
        FailureCode.CONNECT_TIMEOUT,
        FailureCode.TLS_ERROR,
    }
)
# The site answers, but has no robots.txt to give: what it redirects to is none.
_NONE_THERE = frozenset({FailureCode.TOO_MANY_REDIRECTS, FailureCode.INVALID_URL})
# What is read of a file as it comes: compressed or not, it is more than what of its text counts.
_WIRE_BYTES = robots.MAX_BYTES + 16 * 1024
_DECODED_BYTES = robots.MAX_BYTES + 1  # so that a line which the limit cuts can be told from one that ends there
_MOST_UNKNOWN = 10_000  # origins that a look into the database found nothing about, and that are not asked for yet


@dataclass(frozen=True, slots=True)
class Permission:
    """What robots.txt says about one URL. `failure` is why it must not be fetched, if so; `crawl_delay` is in seconds.

    `unavailable`: not because the file says so, but because it could not be had; `retry_after` are the seconds that
    the site asked for then.
    """

    failure: Failure | None = None
    crawl_delay: float | None = None
    unavailable: bool = False
    retry_after: float | None = None


class Robots:
    """One per worker process. Concurrent questions about one origin share one answer. `clock` is in seconds, monotonic."""

    def __init__(
        self, fetcher: Fetcher, pool: Pool, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetcher, self._pool, self._settings = fetcher, pool, settings
        self._token = robots.product_token(settings.user_agent)
        self._answers = Answers(clock)
        self._asking: dict[str, asyncio.Task[Answer]] = {}
        self._unknown: set[str] = set()

    async def ask(self, target: url.Url) -> Permission:
        """What robots.txt says about this URL.

        One that cannot be had forbids everything for now (RFC 9309 section 2.3.1.4): its own failure is given, which says
        more than `disallowed` and is retried where that can help. 4xx means that there are no rules, but 429: a site that
        asks for fewer requests is not answered with more of them.
        """
        answer = self._answers.get(target.origin) or await self._asked(target.origin)
        if isinstance(answer, Unavailable):
            return Permission(answer.failure, unavailable=True, retry_after=answer.retry_after)
        if answer.allows(target.path):
            return Permission(crawl_delay=answer.crawl_delay)
        detail = f"{target.origin}/robots.txt disallows this path."
        return Permission(Failure(FailureCode.ROBOTS_DISALLOWED, detail), answer.crawl_delay)

    async def recall(self, origins: Collection[str]) -> None:
        """Look up what the cluster knows of these, all at once, before they are asked about one by one."""
        wanted = [origin for origin in origins if self._answers.get(origin) is None]
        if not wanted:
            return
        found = await self._recall(wanted)
        for origin, rules in found.items():
            self._answers.put(origin, rules, _LOCAL_SECONDS)
        if len(self._unknown) < _MOST_UNKNOWN:
            self._unknown.update(origin for origin in wanted if origin not in found)

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
            self._answers.put(origin, answer, _FAILED_SECONDS if isinstance(answer, Unavailable) else _LOCAL_SECONDS)

    async def _ask(self, origin: str) -> Answer:
        if origin in self._unknown:
            self._unknown.discard(origin)
        elif (known := (await self._recall([origin])).get(origin)) is not None:
            return known
        answer = await self._fetch(origin)
        if isinstance(answer, Rules):
            await self._share(origin, answer)
        return answer

    async def _fetch(self, origin: str) -> Answer:
        retry_after = None
        try:
            fetched = await self._get(origin)
            if fetched is None:
                return Rules()
            retry_after = parse_retry_after(fetched.headers.get("retry-after"))
            return await self._rules(fetched, retry_after)
        except ItemFailed as failed:
            # A plain failure, without what the fetcher adds: status and sizes of robots.txt are not the page's.
            where = "" if _is_of_the_host(failed, origin) else "robots.txt: "
            return Unavailable(Failure(failed.failure.code, where + failed.failure.detail), retry_after)

    async def _get(self, origin: str) -> Fetched | None:
        """The answer, whatever its status; None if it leads to nothing that could be a robots.txt."""
        try:
            answer = await self._fetcher.fetch(url.parse(f"{origin}/robots.txt"), timeout=_TIMEOUT, first=_WIRE_BYTES)
        except ItemFailed as failed:
            too_few_followed = self._settings.max_redirects < _REDIRECTS
            code = failed.failure.code
            if code not in _NONE_THERE or (code is FailureCode.TOO_MANY_REDIRECTS and too_few_followed):
                raise
            return None
        return answer if len(answer.redirects) <= _REDIRECTS else None

    async def _rules(self, answer: Fetched, retry_after: float | None) -> Rules:
        try:
            check_status(answer.status, retry_after)
        except ItemFailed as failed:
            if failed.failure.code is not FailureCode.HTTP_4XX:
                raise
            return Rules()  # RFC 9309 section 2.3.1.3: unavailable
        # In a thread: half a megabyte of rules takes a while.
        return await asyncio.to_thread(self._read, answer)

    def _read(self, answer: Fetched) -> Rules:
        return robots.parse(_text(answer), self._settings.user_agent)

    async def _recall(self, origins: Collection[str]) -> dict[str, Rules]:
        """What the cluster knows of these. Rules that were picked for another user agent are not ours."""
        try:
            async with self._pool.acquire() as connection:
                known = await hosts.robots(connection, origins)
        except database.PASSING as error:
            log.warning("robots.txt is not looked up: %s", error or type(error).__name__)
            return {}
        return {origin: Rules.from_json(text) for origin, text in known.items() if text.get("agent") == self._token}

    async def _share(self, origin: str, rules: Rules) -> None:
        try:
            async with self._pool.acquire() as connection:
                known = rules.to_json() | {"agent": self._token}
                await hosts.remember_robots(connection, origin, known, _SHARED_SECONDS)
        except database.PASSING as error:
            log.warning("robots.txt of %s is not shared: %s", origin, error or type(error).__name__)


def _is_of_the_host(failed: ItemFailed, origin: str) -> bool:
    """Whether whatever was asked for there would have failed like this."""
    return (
        failed.failure.code in _NO_CONNECTION
        and isinstance(failed, FetchFailed)
        and failed.url.startswith(f"{origin}/")
    )


def _text(answer: Fetched) -> bytes:
    """As much of the file as is read. A large one is no error, and neither is one that unpacks to more than anybody reads."""
    cut = len(answer.body) == _WIRE_BYTES
    try:
        return decode_body(answer.body, answer.content_encoding, _DECODED_BYTES)
    except ItemFailed as failed:
        large = failed.failure.code is FailureCode.DECOMPRESSION_BOMB
        text = decode_prefix(answer.body, answer.content_encoding, _DECODED_BYTES) if large or cut else b""
        if not text:
            raise
        return text
