"""What a request's body may be: uncompressed, and no larger than the limit. Pure ASGI; buffers nothing itself."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thresher.domain.problem import Problem, ProblemCode


class BodyLimit:
    """Refuses a body by its headers before a byte is read, and cuts one that turns out larger while it streams in.

    Requests that are `unlimited` take their bodies piece by piece, and see to their limits themselves.
    """

    def __init__(self, app: ASGIApp, limit: int, unlimited: Callable[[Scope], bool]) -> None:
        self._app = app
        self._limit = limit
        self._unlimited = unlimited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        coding = headers.get("content-encoding", "").strip().lower()
        if coding not in ("", "identity"):
            raise Problem(
                ProblemCode.UNSUPPORTED_MEDIA_TYPE, f"A request body in Content-Encoding {coding[:40]} is not taken."
            )
        if self._unlimited(scope):
            await self._app(scope, receive, send)
            return
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > self._limit):
            raise self._too_large()
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self._limit:
                    raise self._too_large()
            return message

        await self._app(scope, counted, send)

    def _too_large(self) -> Problem:
        return Problem(ProblemCode.BODY_TOO_LARGE, f"The request body is larger than the limit of {self._limit} bytes.")
