"""uvicorn's HTTP protocol with bounds on a request that does not come: its head in bytes, and its silence in seconds.

uvicorn itself gathers a head without limit and waits for one without end, before any key is asked for.
"""

import asyncio
from typing import Any

from starlette.datastructures import Headers
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from thresher.api import problems
from thresher.domain.problem import Problem, ProblemCode

NOT_HTTP = "Invalid HTTP request received."  # uvicorn's own words


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A head (or a trailer) over MAX_HEAD bytes is a 400; a request that stalls ends the connection."""

    PUBLIC_URL: str | None = None
    MAX_HEAD = 64 * 1024  # bytes; what is in one read beyond it (256 KiB at most) may still be taken
    HEAD_SECONDS = 30.0  # from the first byte, or from the connection, to the end of the head
    STALL_SECONDS = 60.0  # between two pieces of a body; a long upload may take as long as it moves

    _unused = 0  # bytes taken in since they last came to a head or to a piece of a body
    _moved = 0.0  # when that was
    _patience: float | None = None  # seconds; None while nothing is awaited, between two requests
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._await_for(self.HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_for(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unused += len(data)
        super().data_received(data)
        if self._unused > self.MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The request's head is longer than the limit of {self.MAX_HEAD} bytes.")

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as a request is refused in the form of every other refusal, and the connection ends."""
        detail = "This is not HTTP/1.1." if msg == NOT_HTTP else msg
        scope: dict[str, Any] = {"scheme": self.scheme, "server": self.server, "headers": []}
        refusal = problems.answer(Problem(ProblemCode.VALIDATION_ERROR, detail), scope, self.PUBLIC_URL)
        refusal.headers["X-Request-Id"] = problems.given_or_new_id(Headers())
        refusal.headers["Connection"] = "close"
        head = b"".join(name + b": " + value + b"\r\n" for name, value in refusal.raw_headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + bytes(refusal.body))
        self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._patience is None:
            self._await_for(self.HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._await_for(self.STALL_SECONDS)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._unused, self._moved = 0, self.loop.time()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._await_for(None)

    def _await_for(self, seconds: float | None) -> None:
        """Something came, or began; expect what follows within so many seconds, or nothing."""
        self._unused, self._moved, self._patience = 0, self.loop.time(), seconds
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._look) if seconds is not None else None

    def _look(self) -> None:
        if self._patience is None or self.transport.is_closing():
            return
        if self.flow.read_paused:  # we do not read: the wait is ours
            self._moved = self.loop.time()
        left = self._moved + self._patience - self.loop.time()
        if left > 0.001:
            self._timer = self.loop.call_later(left, self._look)
        else:
            self.transport.abort()


def speaking_of(public_url: str | None) -> type[BoundedProtocol]:
    """The protocol of a server that is known to its callers under this URL."""
    return type("Protocol", (BoundedProtocol,), {"PUBLIC_URL": public_url})
