"""What a client can do to a connection before it has sent a request, against a real uvicorn."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from thresher.api.protocol import BoundedProtocol

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


class Impatient(BoundedProtocol):
    HEAD_SECONDS = 0.3
    STALL_SECONDS = 0.3


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        more = message["more_body"]
    body = str(length).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def streams(request: pytest.FixtureRequest) -> AsyncIterator[Streams]:
    """A connection to a server with the protocol of the test's choice."""
    protocol: Any = getattr(request, "param", BoundedProtocol)
    config = uvicorn.Config(_echo, port=0, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    yield reader, writer
    writer.close()
    server.force_exit = True
    await server.shutdown()


async def _answer(streams: Streams, *data: bytes) -> bytes:
    """What the server answers, up to the end of the connection."""
    reader, writer = streams
    try:
        for piece in data:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    "start",
    [HEAD + b"X: ", b"GET /", HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: "],
    ids=["header", "target", "trailer"],
)
async def test_a_head_without_end_is_refused(streams: Streams, start: bytes) -> None:
    answer = await _answer(streams, start, *[b"a" * 100_000] * 20)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_what_is_no_request_is_a_problem_like_every_other(streams: Streams) -> None:
    head, _, body = (await _answer(streams, b"HELO mail.example\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert b"x-request-id: " in head
    problem = json.loads(body)
    assert (problem["code"], problem["status"], problem["detail"]) == ("validation_error", 400, "This is not HTTP/1.1.")
    assert problem["type"].startswith("http://127.0.0.1:")
    assert len(body) == int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]


async def test_many_small_headers_are_refused_too(streams: Streams) -> None:
    answer = await _answer(streams, HEAD, *[b"X: a\r\n" * 10_000] * 20)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_a_large_body_is_not_taken_for_a_head(streams: Streams) -> None:
    close = b"Connection: close\r\n"
    answer = await _answer(streams, HEAD + close + b"Content-Length: 5000000\r\n\r\n", b"a" * 5_000_000)
    assert answer.endswith(b"\r\n\r\n5000000")


@pytest.mark.parametrize("streams", [Impatient], indirect=True)
@pytest.mark.parametrize(
    "sent", [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\n", HEAD + b"Content-Length: 1\r\n\r\na" + HEAD]
)
async def test_a_request_that_does_not_come_ends_the_connection(streams: Streams, sent: bytes) -> None:
    answer = await _answer(streams, sent)
    assert answer == b"" or answer.endswith(b"\r\n\r\n1")


@pytest.mark.parametrize("streams", [Impatient], indirect=True)
async def test_a_slow_body_that_moves_may_take_its_time(streams: Streams) -> None:
    reader, writer = streams
    writer.write(HEAD + b"Connection: close\r\nContent-Length: 10\r\n\r\n")
    for _ in range(10):
        await asyncio.sleep(0.05)  # the pace is what is tested: longer in all than a stall may last
        writer.write(b"a")
    assert (await reader.read()).endswith(b"\r\n\r\n10")
