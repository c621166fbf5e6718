"""The fetcher: one GET from a URL to its last response, over the guarded dial.

It follows redirects by hand, so that every hop is parsed by our parser and vetted by the dial, and holds the
limits: a deadline over everything, a cap on the body. Statuses are not judged here, bodies are not decoded.
"""

import asyncio
import io
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import Self

import yarl
from aiohttp import ClientConnectionError, ClientResponse, ClientSession

from thresher.domain import url as urls
from thresher.domain.failure import FailureCode, ItemFailed
from thresher.net.budget import Budget, Lease
from thresher.net.connector import passage
from thresher.net.dial import Dial
from thresher.net.errors import NETWORK_ERRORS, failure_of
from thresher.net.fetched import Attempt, Fetched, FetchFailed, Validators
from thresher.settings import Settings

__all__ = ["FetchFailed", "Fetched", "Fetcher"]

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ACCEPT_ENCODING = "gzip, deflate, br, zstd"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PART = re.compile(r"\s*bytes\s+0-(\d{1,18})/(\d{1,18})\s*", re.IGNORECASE)  # a part that may be the whole
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Vet = Callable[[urls.Url], Awaitable[bool]]

# A redirect's body is read only to keep the connection, which a new one costs more than this much of.
_DRAIN_BYTES, _DRAIN_SECONDS = 16 * 1024, 1.0

MIB = 2**20
_STEP = MIB  # the first reservation; the next are twice what has come
SMALL = 256 * 1024  # bytes of a body that come without a reservation: almost all pages


class Fetcher:
    """An async context manager that owns the dial it is given, and its sessions. Safe for concurrent fetches.

    There is one session for each country that pages were asked for from, and one for all others: opened when first used.
    """

    def __init__(
        self,
        dial: Dial,
        *,
        user_agent: str,
        max_body_bytes: int,
        max_redirects: int,
        max_url_bytes: int = 8192,
        memory_bytes: int = 256 * MIB,
    ) -> None:
        self._dial = dial
        self._headers = {"User-Agent": user_agent, "Accept": ACCEPT, "Accept-Encoding": ACCEPT_ENCODING}
        self._max_body_bytes = max_body_bytes
        self._max_redirects = max_redirects
        self._max_url_bytes = max_url_bytes
        self._budget = Budget(memory_bytes, max_body_bytes)
        self._sessions: dict[str | None, ClientSession] | None = None  # by country

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The fetcher of pages."""
        return cls(
            Dial.from_settings(settings),
            user_agent=settings.user_agent,
            max_body_bytes=settings.max_body_bytes,
            max_redirects=settings.max_redirects,
            max_url_bytes=settings.max_url_bytes,
            memory_bytes=settings.fetch_memory_bytes,
        )

    async def __aenter__(self) -> Self:
        self._sessions = {}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sessions, self._sessions = self._sessions or {}, None
        for session in sessions.values():
            await session.close()
        self._dial.close()

    @property
    def countries(self) -> frozenset[str]:
        """The countries that pages can be asked for from."""
        return self._dial.countries

    def lease(self) -> Lease:
        """Room for one body, to be given to `fetch` and held for as long as the body is."""
        return self._budget.lease()

    async def fetch(
        self,
        url: urls.Url,
        *,
        timeout: float,
        headers: Mapping[str, str] = _NO_HEADERS,
        private: Mapping[str, str] = _NO_HEADERS,
        validators: Validators | None = None,
        country: str | None = None,
        vet: Vet | None = None,
        lease: Lease | None = None,
        redirects: Sequence[str] = (),
        first: int | None = None,
    ) -> Fetched:
        """GET `url` and what it redirects to, all within `timeout` seconds.

        `headers` are sent too, and over them the `private` ones, but these no more once a redirect has left the first origin:
        not even if another leads back, for then someone else has chosen the URL. The request to the URL of `validators` is
        conditional: a 304 from there is its answer. `country` is one of `countries`, or None for the usual way.
        `vet` is asked before a redirect is followed: False ends the fetch there, as one that `moved`; it refuses the
        redirect by raising ItemFailed. `redirects` are those that led here; they count. Of a body longer than `first`
        bytes these are taken, without a look at the rest. Raises FetchFailed when there is no whole response; an HTTP
        error status is a response. A large body waits for room in `lease`; without one, it is counted only while it comes.
        """
        attempt = Attempt(url, list(redirects), headers, private if _at_one_origin(url, redirects) else {}, validators)
        own, session = self.lease(), self._session(country)
        try:
            with own:
                async with asyncio.timeout(timeout) as deadline:
                    return await self._follow(session, attempt, vet, lease or own, first)
        except ItemFailed as failed:
            raise FetchFailed(failed, attempt) from None
        except NETWORK_ERRORS as error:
            if deadline.expired():
                raise FetchFailed(_out_of_time(attempt, timeout), attempt) from None
            raise FetchFailed(failure_of(error, attempt), attempt) from error

    async def _follow(
        self,
        session: ClientSession,
        attempt: Attempt,
        vet: Vet | None,
        lease: Lease,
        first: int | None,
    ) -> Fetched:
        while True:
            response = await self._request(session, attempt)
            try:
                _check(response)
                location = response.headers.get("Location") if response.status in _REDIRECTS else None
                if not location:
                    body = await self._body(response, attempt, lease, first)
                    response.release()
                    return attempt.fetched(response, body)
                await _drain(response)
            except BaseException:
                attempt.received = response.content.total_bytes
                response.close()
                raise
            self._redirect(attempt, location)
            if vet is not None and not await vet(attempt.url):
                return attempt.fetched(response, b"", moved=True)

    async def _request(self, session: ClientSession, attempt: Attempt) -> ClientResponse:
        target = _wire(attempt.url)
        retried = False
        while True:
            passage.set(way := attempt.next_request())
            try:
                response = await session.get(target, headers=attempt.sent(), allow_redirects=False)
            except ClientConnectionError:
                # A kept connection that the server closed just as it was taken again: no failure of this request.
                # Had something of an answer come, it would be BrokenOff.
                if retried or not (way.connected and way.reused):
                    raise
                retried = True
            else:
                attempt.answered(response)
                return response

    def _redirect(self, attempt: Attempt, location: str) -> None:
        if len(attempt.redirects) >= self._max_redirects:
            raise ItemFailed(
                FailureCode.TOO_MANY_REDIRECTS, f"The page redirected more than {self._max_redirects} times."
            )
        try:
            target = urls.parse(_location(location), attempt.url.href)
        except urls.InvalidUrl as error:
            raise ItemFailed(FailureCode.INVALID_URL, f"The page redirected to an unusable URL: {error}.") from None
        if len(target.href) > self._max_url_bytes:
            raise ItemFailed(
                FailureCode.INVALID_URL, f"The page redirected to a URL of more than {self._max_url_bytes} bytes."
            )
        attempt.redirected(target)

    async def _body(self, response: ClientResponse, attempt: Attempt, lease: Lease, first: int | None) -> bytes:
        length, most = response.content_length, self._max_body_bytes if first is None else first
        if first is None and (length or 0) > most:
            raise self._too_large()
        content = response.content
        part = await content.readany()
        attempt.received = len(part)
        if content.at_eof() and attempt.received <= most:
            return part
        buffer = io.BytesIO()  # hands out what it gathered without copying it
        buffer.write(part)
        while attempt.received <= most:
            if content.at_eof():
                lease.shrink(attempt.received)
                return buffer.getvalue()
            if attempt.received > max(SMALL, lease.held):
                attempt.waiting = True  # nothing is read meanwhile, and so TCP holds the server up
                # Whatever length was announced: one that never comes shall not keep others waiting.
                await lease.grow(min(max(_STEP, 2 * attempt.received), most))
                attempt.waiting = False
            attempt.received += buffer.write(await content.readany())
        if first is None:
            raise self._too_large()
        return buffer.getvalue()[:most]

    def _too_large(self) -> ItemFailed:
        return ItemFailed(FailureCode.TOO_LARGE, f"The body is larger than {self._max_body_bytes} bytes.")

    def _session(self, country: str | None) -> ClientSession:
        if self._sessions is None:
            raise RuntimeError("the fetcher is not entered")
        if country not in self._sessions:
            self._sessions[country] = self._dial.session(self._headers, country)
        return self._sessions[country]


def _at_one_origin(url: urls.Url, redirects: Sequence[str]) -> bool:
    """Whether all redirects that led to `url` were at its own origin."""
    return all(urls.parse(left).origin == url.origin for left in redirects)


def _check(response: ClientResponse) -> None:
    """Refuse statuses that are no answer to a plain GET: 1xx at the end, and a part that nobody asked for."""
    if response.status < 200:
        raise ItemFailed(
            FailureCode.MALFORMED_RESPONSE, f"The server answered {response.status:03}, which is no answer."
        )
    if response.status == 206:
        part = _PART.fullmatch(response.headers.get("Content-Range", ""))
        if part is None or int(part[1]) + 1 != int(part[2]):
            raise ItemFailed(FailureCode.MALFORMED_RESPONSE, "The server sent a part of the page, unasked (206).")


async def _drain(response: ClientResponse) -> None:
    small = response.content_length is not None and response.content_length <= _DRAIN_BYTES
    if small and not response.content.at_eof():
        with suppress(*NETWORK_ERRORS):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await response.content.read()
    response.release()  # closes the connection if there is more to come


def _wire(url: urls.Url) -> yarl.URL:
    """The URL as aiohttp is given it: the very bytes of `href`, without what is not sent.

    A fragment is never sent. An empty query ("/?") is dropped: yarl cannot say it, and servers read it as "/".
    """
    href = url.href.partition("#")[0]
    head, mark, query = href.partition("?")
    if mark and not query:
        href = head
    target = yarl.URL(href, encoded=True)
    if str(target) != href:
        raise ItemFailed(FailureCode.INVALID_URL, "The URL cannot be requested as it is written.")
    return target


def _location(value: str) -> str:
    """A Location header as text. Bytes that are not UTF-8 are percent-encoded as they are, as browsers do."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", value)


def _out_of_time(attempt: Attempt, timeout: float) -> ItemFailed:
    if attempt.status is not None:
        phase = f"{'waiting for memory, ' if attempt.waiting else ''}{attempt.progress()}"
    elif attempt.way.connected:
        phase = "the server had not answered"
    elif attempt.way.dialled:
        phase = "the TLS handshake was under way"
    else:
        phase = "looking up the host" if attempt.way.resolving else "connecting"
    return ItemFailed(FailureCode.TIMEOUT, f"Not finished within {timeout:.3g} s: {phase}.")
