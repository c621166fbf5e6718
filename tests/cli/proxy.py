"""A proxy in front of a server that breaks off answers: the request has arrived, its answer never does, or half of it."""

import asyncio
from collections import Counter
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class CuttingProxy:
    """`async with CuttingProxy(url, {"/start": 0, "/export": 2000}) as proxy`: the first answer to a request whose line
    has the word ends after so many bytes.
    """

    def __init__(self, url: str, cuts: dict[str, int]) -> None:
        self._target = urlsplit(url)
        self._cuts = dict(cuts)
        self.cut: Counter[str] = Counter()  # how often, by word
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        up_reader, up_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        left: list[int | None] = [None]  # bytes until the cut, of the answer that is on its way
        sending = asyncio.create_task(self._requests(reader, up_writer, left))
        try:
            while piece := await up_reader.read(1000):
                if left[0] is not None:
                    piece, left[0] = piece[: left[0]], left[0] - len(piece)
                writer.write(piece)
                await writer.drain()
                if left[0] is not None and left[0] <= 0:
                    return
        except OSError:
            return
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            for each in (writer, up_writer):
                each.close()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: list[int | None]
    ) -> None:
        while piece := await reader.read(65536):
            line = piece.partition(b"\r\n")[0].decode("latin-1")
            if line.endswith("HTTP/1.1"):  # a request begins; what follows of a body has no such first line
                for word in [word for word in self._cuts if word in line]:
                    left[0] = self._cuts.pop(word)
                    self.cut[word] += 1
            writer.write(piece)
            await writer.drain()
