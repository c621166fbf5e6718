"""The server's API as the commands use it: requests that outlive a server which is away for a moment.

A server that comes back elsewhere (another port, another private key) is looked up again. Knows nothing of files, of
progress, and of what a batch is for.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson
from zstandard import ZstdDecompressor, ZstdError

from thresher.cli.client.patience import Away, Patience
from thresher.cli.endpoint import Endpoint
from thresher.cli.errors import CommandError, ExitCode

Json = dict[str, Any]
Find = Callable[[], Awaitable[Endpoint | None]]

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)
AWAY = frozenset({429, 500, 502, 503, 504})  # the request may be right, a little later
_LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError, ZstdError)
# What the code of a problem is as an exit code; an error for others.
_EXIT_CODES = {
    "invalid_api_key": ExitCode.KEY,
    "access_denied": ExitCode.KEY,
    "batch_not_found": ExitCode.NOT_FOUND,
    "batch_purged": ExitCode.NOT_FOUND,
    "event_not_found": ExitCode.NOT_FOUND,
    "parser_not_found": ExitCode.NOT_FOUND,
    "content_not_found": ExitCode.NOT_FOUND,
    "validation_error": ExitCode.USAGE,
}


class Refused(CommandError):
    """The server has answered with a problem: `problem` is its body."""

    def __init__(self, problem: Json, status: int) -> None:
        self.problem, self.status = problem, status
        said = [str(problem.get(name) or "").rstrip(".") for name in ("detail", "remedy")]
        message = "".join(f"{part}. " for part in said if part).rstrip()
        code = ExitCode.KEY if status in (401, 403) else ExitCode.ERROR
        super().__init__(message, _EXIT_CODES.get(str(problem.get("code")), code))

    @property
    def kind(self) -> str:
        """The problem's stable code."""
        return str(self.problem.get("code", ""))


class Remote:
    """The server at an endpoint. `find` looks it up again when it is away, or refuses the key that it had given."""

    def __init__(self, endpoint: Endpoint, find: Find, patience: Patience) -> None:
        self._endpoint = endpoint
        self._find = find
        self._patience = patience
        # No cookies, no proxies of the environment, and long lines: bodies are read in pieces.
        self._session = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    @property
    def url(self) -> str:
        """Where the server is now."""
        return self._endpoint.url

    async def batch(self, batch_id: str) -> Json:
        """The batch as it is."""
        return await self.call("GET", f"/v1/batches/{batch_id}")

    async def call(
        self,
        method: str,
        path: str,
        *,
        data: Json | bytes | None = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Json:
        """A request and its answer's object; `data` as JSON, or as NDJSON if it is bytes.

        Repeated while the server is away, so it must be one that may be repeated, by an idempotency `key` if not by
        itself. Raises Refused and Away.
        """
        body = data if data is None or isinstance(data, bytes) else orjson.dumps(data)
        kind = "application/x-ndjson" if isinstance(data, bytes) else "application/json"
        headers = {"Content-Type": kind} if body is not None else {}
        headers |= {"Idempotency-Key": key} if key is not None else {}
        while True:
            try:
                async with self._request(method, path, data=body, params=params, headers=headers) as answer:
                    content = await answer.read()
            except _LOST as error:
                await self._wait(error)
                continue
            self._patience.renew()
            return self._object(content)

    async def upload(
        self, path: str, form: Callable[[], aiohttp.FormData], find: Callable[[], Awaitable[Json | None]]
    ) -> Json:
        """A POST of a form, and its answer's object. When the answer was lost, `find` says whether the form has arrived: if
        not, it is made and sent anew. Raises Refused and Away.
        """
        while True:
            try:
                async with self._request("POST", path, headers={}, data=form()) as answer:
                    content = await answer.read()
            except _LOST as error:
                await self._wait(error)
                if (found := await find()) is not None:
                    return found
                continue
            self._patience.renew()
            return self._object(content)

    async def pieces(self, path: str, params: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """A long body as it comes, decompressed. Raises Refused, and Lost when it breaks off."""
        headers = {} if _is_near(self.url) else {"Accept-Encoding": "zstd"}
        try:
            async with self._request("GET", path, params=params, headers=headers) as answer:
                unzip = _decoder(answer.headers.get("Content-Encoding"))
                async for piece in answer.content.iter_any():
                    self._patience.renew()
                    yield unzip(piece)
        except _LOST as error:
            raise Lost from error

    async def until_back(self, error: BaseException | None) -> None:
        """Wait a moment for a server whose body broke off. Raises Away when it has been too long."""
        await self._wait(error)

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, *, headers: Mapping[str, str], **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer below 300. Raises Refused, or one of _LOST."""
        auth = {"Accept-Encoding": "identity", "Authorization": f"Bearer {self._endpoint.key}"}
        async with (
            self._spoken(),
            self._session.request(
                method, self.url + path, headers=auth | dict(headers), allow_redirects=False, **more
            ) as answer,
        ):
            if answer.status in AWAY:
                raise aiohttp.ClientConnectionError(f"it answers {answer.status}")
            if answer.status == 401 and await self._found_anew():
                raise aiohttp.ClientConnectionError("it has started anew")
            if answer.status >= 300:
                refused = Refused(self._object(await answer.read(), answer.status), answer.status)
                if refused.kind == "idempotency_key_in_progress":  # its answer was lost before there was one
                    raise aiohttp.ClientConnectionError("it is at the request already")
                raise refused
            yield answer

    @asynccontextmanager
    async def _spoken(self) -> AsyncIterator[None]:
        try:
            yield
        except aiohttp.ClientResponseError as error:
            raise CommandError(f"{self.url} does not speak HTTP: {error.message}") from error

    def _object(self, content: bytes, status: int = 200) -> Json:
        try:
            value = orjson.loads(content)
        except ValueError:
            value = None
        if not isinstance(value, dict) or (status >= 300 and "detail" not in value):
            raise CommandError(f"{self.url} does not answer like a Thresher of this version (status {status})")
        return value

    async def _wait(self, error: BaseException | None) -> None:
        await self._patience.wait(self.url, error)
        await self._found_anew()

    async def _found_anew(self) -> bool:
        """Whether the server is elsewhere, or has another key, than it was thought."""
        found = await self._find()
        if found is None or found == self._endpoint:
            return False
        self._endpoint = found
        return True


class Lost(Exception):
    """A body broke off."""


def _is_near(url: str) -> bool:
    """Whether compression would cost more than it saves."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def _decoder(coding: str | None) -> Callable[[bytes], bytes]:
    if coding == "zstd":
        return ZstdDecompressor().decompressobj(read_across_frames=True).decompress
    return bytes


__all__ = ["Away", "Json", "Lost", "Refused", "Remote"]
