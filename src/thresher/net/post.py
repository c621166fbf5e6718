"""One POST over the guarded dial: the way of webhooks. Redirects are answers like any other, and of the answer little is read."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import yarl
from aiohttp import ClientResponse, ClientSession

from thresher.domain import url as urls
from thresher.domain.failure import Failure, FailureCode, ItemFailed
from thresher.net.connector import passage
from thresher.net.dial import Dial
from thresher.net.errors import NETWORK_ERRORS, failure_of
from thresher.net.fetched import Attempt
from thresher.settings import Settings

HEAD = 1024  # bytes of an answer that are kept
_READING = 5.0  # seconds for them, once there is a status


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of it: a `status` with the first bytes of the answer as text, or a `failure`. `ms` is all the time it took."""

    ms: int
    status: int | None = None
    head: str | None = None
    retry_after: str | None = None
    failure: Failure | None = None


class Poster:
    """An async context manager that owns its dial and its session. Safe for concurrent posts."""

    def __init__(self, dial: Dial, user_agent: str) -> None:
        self._dial = dial
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        self._session: ClientSession | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The poster of webhooks."""
        return cls(Dial.from_settings(settings, "webhook"), settings.user_agent)

    async def __aenter__(self) -> Self:
        self._session = self._dial.session(self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
        self._dial.close()

    async def post(self, url: urls.Url, headers: Mapping[str, str], body: bytes, timeout: float) -> Posted:
        """POST `body` to `url`, with `timeout` seconds until there is a status. Raises nothing of the network's."""
        attempt = Attempt(url)
        try:
            async with asyncio.timeout(timeout) as deadline:
                response = await self._send(attempt, headers, body)
        except NETWORK_ERRORS as error:
            if deadline.expired():
                failure = Failure(FailureCode.TIMEOUT, f"There was no answer within {timeout:g} s.")
            else:
                failure = failure_of(error, attempt).failure
            return Posted(_ms(attempt), failure=failure)
        except ItemFailed as failed:
            return Posted(_ms(attempt), failure=failed.failure)
        try:
            head = await _head(response)
        finally:
            response.close()
        return Posted(_ms(attempt), response.status, head, response.headers.get("Retry-After"))

    async def _send(self, attempt: Attempt, headers: Mapping[str, str], body: bytes) -> ClientResponse:
        if self._session is None:
            raise RuntimeError("the poster is not entered")
        passage.set(attempt.next_request())
        target = yarl.URL(attempt.url.href.partition("#")[0], encoded=True)
        # A connection each: one that was kept may be closed just as it is taken again, and a POST is not repeated for that.
        own = {"Connection": "close", **headers}
        response = await self._session.post(target, headers=own, data=body, allow_redirects=False)
        if response.status < 200:
            response.close()
            raise ItemFailed(
                FailureCode.MALFORMED_RESPONSE, f"The server answered {response.status:03}, which is no answer."
            )
        attempt.answered(response)
        return response


async def _head(response: ClientResponse) -> str:
    """The first bytes of an answer as text that PostgreSQL takes; what there is of them, if the rest does not come."""
    found = bytearray()
    with suppress(*NETWORK_ERRORS):
        async with asyncio.timeout(_READING):
            while len(found) < HEAD and (part := await response.content.read(HEAD - len(found))):
                found += part
    return found.decode("utf-8", "replace").replace("\0", "")


def _ms(attempt: Attempt) -> int:
    return round(attempt.ms()["total"])
