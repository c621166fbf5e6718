"""An HTTP origin at the level of bytes: each path has a responder that writes what it likes, valid or not."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Exchange:
    """One request as the origin saw it, and the way to answer."""

    path: str  # as in the request line, query included
    headers: dict[str, str]  # names lower-cased
    connection: int  # the number of the connection, from 1
    turn: int  # the number of the request on its connection, from 1
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        if self.writer.is_closing():
            raise ConnectionResetError("the client is gone")
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.writer.transport.abort()


Responder = Callable[[Exchange], Awaitable[None]]


def response(body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A well-formed response."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def reply(body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> Responder:
    """A responder that sends a well-formed response and keeps the connection."""
    return sends(response(body, status, headers))


def redirect(location: str, status: int = 302, body: bytes = b"") -> Responder:
    return reply(body, status, {"Location": location})


def sends(data: bytes, *, then_close: bool = False) -> Responder:
    """A responder that sends these very bytes."""

    async def respond(exchange: Exchange) -> None:
        await exchange.send(data)
        if then_close:
            exchange.close()

    return respond


def drips(head: bytes, piece: bytes, every: float) -> Responder:
    """A responder that sends `head`, and then `piece` every so many seconds until the client is gone."""

    async def respond(exchange: Exchange) -> None:
        await exchange.send(head)
        while not exchange.writer.is_closing():
            await exchange.send(piece)
            await asyncio.sleep(every)

    return respond


NOT_FOUND = reply(b"no such path", 404)


class Server:
    """A TCP server on loopback, from `async with` to its end, whose connections end with it.

    `connections` counts what was accepted, even if nothing was asked.
    """

    def __init__(self, host: str, tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = 0
        self.connections = 0
        self.all_closed = asyncio.Event()
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.all_closed.clear()
        try:
            await self._converse(reader, writer, self.connections)
            writer.close()
            async with asyncio.timeout(5):  # for what was written and is not sent yet
                await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or takes nothing more, or the test is over
        finally:
            writer.transport.abort()
            # A reset by the client, of which nobody else would take note; and the test may be over.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)
            if not self._tasks:
                self.all_closed.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        """All of a connection; `number` counts from 1."""
        raise NotImplementedError


class RawOrigin(Server):
    """An HTTP server. A path without a responder gets a 404. `seen` has every request."""

    def __init__(
        self, responders: Mapping[str, Responder], *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(host, tls)
        self.responders = dict(responders)
        self.seen: list[Exchange] = []

    def url(self, path: str = "/") -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        turn = 0
        while not writer.is_closing():
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            path = request.split(" ")[1]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            exchange = Exchange(path, headers, number, turn := turn + 1, writer)
            self.seen.append(exchange)
            await self.responder(exchange)(exchange)

    def responder(self, exchange: Exchange) -> Responder:
        """Who answers a request."""
        return self.responders.get(exchange.path, NOT_FOUND)


class Blackhole:
    """An address that takes no connection and refuses none: a listening socket whose backlog is full."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host

    def __enter__(self) -> Self:
        self._listener = socket.socket()
        self._listener.bind((self.host, 0))
        self._listener.listen(0)
        self.port = self._listener.getsockname()[1]
        self._fillers: list[socket.socket] = []
        while True:
            filler = socket.socket()
            self._fillers.append(filler)
            filler.settimeout(0.2)
            try:
                filler.connect((self.host, self.port))
            except TimeoutError:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in (*self._fillers, self._listener):
            each.close()
