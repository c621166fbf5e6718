"""The origin: a process that serves pages on 100 loopback addresses and one port, as lightly as it can.

`python -m bench.origin [--corpus DIR] [--median BYTES] [--delay SECONDS]` prints its port when it serves, and ends when
its standard input ends. Every path of the form /p/NUMBER is a page; /robots.txt is a 404.
"""

import argparse
import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop

from bench import corpus, generated

ADDRESSES = [f"127.0.0.{n}" for n in range(1, 101)]
_END = b"\r\n\r\n"
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nnone\n"


class Answers:
    """The bytes to answer with, made once. `delay` in seconds, for pages."""

    def __init__(self, pages: list[bytes], delay: float = 0.0) -> None:
        self.delay = delay
        self._pages = [
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
            % (len(page), page)
            for page in pages
        ]

    def page(self, head: bytes) -> bytes | None:
        """The answer to a request for a page, by the number in its path; None if it is for something else."""
        _, _, rest = head.partition(b" /p/")
        number = rest[: rest.find(b" ")]
        return self._pages[int(number) % len(self._pages)] if number.isdigit() else None


class _Connection(asyncio.Protocol):
    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *heads, self._seen = (self._seen + data).split(_END)
        for head in heads:
            page = self._answers.page(head)
            if page is not None and self._answers.delay:
                asyncio.get_running_loop().call_later(self._answers.delay, self._transport.write, page)
            else:
                self._transport.write(page or _MISSING)


def _sockets() -> list[socket.socket]:
    """One listening socket an address, all on the same free port."""
    while True:
        sockets: list[socket.socket] = []
        port = 0
        try:
            for address in ADDRESSES:
                sockets.append(socket.create_server((address, port), backlog=512))
                port = sockets[0].getsockname()[1]
        except OSError:
            if not sockets:
                raise
            for one in sockets:  # somebody has the port at another address
                one.close()
        else:
            return sockets


async def serve(answers: Answers) -> None:
    """Serve until standard input ends; the port goes to standard output."""
    loop = asyncio.get_running_loop()
    sockets = _sockets()
    for one in sockets:
        await loop.create_server(lambda: _Connection(answers), sock=one)
    print(sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextlib.contextmanager
def running(folder: Path | None, median: int = generated.MEDIAN_BYTES, delay: float = 0.0) -> Iterator[tuple[int, int]]:
    """An origin in a process of its own while the block runs: its pid and its port."""
    command = [sys.executable, "-m", "bench.origin", "--median", str(median), "--delay", str(delay)]
    command += ["--corpus", str(folder)] if folder else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the origin did not start")
        yield process.pid, int(line)  # leaving closes its standard input, and it ends


def urls(port: int, count: int) -> list[str]:
    """So many distinct URLs, the addresses taking turns."""
    return [f"http://{ADDRESSES[n % len(ADDRESSES)]}:{port}/p/{n}" for n in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--median", type=int, default=generated.MEDIAN_BYTES)
    parser.add_argument("--delay", type=float, default=0.0)
    wanted = parser.parse_args()
    uvloop.run(serve(Answers(corpus.pages(wanted.corpus, wanted.median), wanted.delay)))


if __name__ == "__main__":
    main()
