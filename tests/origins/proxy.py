"""An HTTP proxy that speaks CONNECT, leads every tunnel to where the test says, and keeps what it was asked."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tests.origins.raw import Server

Target = tuple[str, int]


class ConnectProxy(Server):
    """A proxy, from `async with` to its end.

    `leads` gives the real address of a target, or None for one that cannot be reached (502). `answer`, if set, is sent
    to every request instead, and the connection closed unless `hold`. `asked` has the targets as they were written,
    `heads` whole requests, and `connections` counts what was accepted.
    """

    def __init__(self, leads: Callable[[str], Target | None] = lambda _: None, *, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.leads = leads
        self.answer: bytes | None = None
        self.hold = False
        self.asked: list[str] = []
        self.heads: list[str] = []

    def url(self, credentials: str = "") -> str:
        return f"http://{credentials}{self.host}:{self.port}"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        self.heads.append(head)
        self.asked.append(target if method == "CONNECT" else f"{method} {target}")
        if self.answer is not None:
            writer.write(self.answer)
            await (asyncio.Event().wait() if self.hold else writer.drain())
            return
        place = self.leads(target)
        if place is None:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\ndead")
            await writer.drain()
            return
        origin_reader, origin_writer = await asyncio.open_connection(*place)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, origin_writer), _pump(origin_reader, writer))
        finally:
            origin_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
