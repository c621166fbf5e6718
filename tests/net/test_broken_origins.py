"""Origins that are down, slow, endless or lying: each ends in its own failure, in time, with the connection closed."""

import asyncio
import socket
from time import perf_counter

import pytest
from tests.net.kit import MakeFetcher, failure
from tests.origins.raw import Blackhole, Exchange, RawOrigin, drips, redirect, reply, response, sends
from tests.origins.tls import Greeting

from thresher.domain.failure import FailureCode
from thresher.domain.url import parse

OK = b"HTTP/1.1 200 OK\r\n"


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_closed_port_refuses(make_fetcher: MakeFetcher) -> None:
    failed = await failure(await make_fetcher(), f"http://127.0.0.1:{unused_port()}/")
    assert failed.failure.code is FailureCode.CONNECT_REFUSED
    assert failed.failure.detail == "The server refused the connection."
    assert (failed.status, failed.family, failed.bytes) == (None, None, 0)
    assert "first_byte" not in failed.ms


async def test_a_server_that_takes_no_connection_is_given_up_after_the_connect_timeout(
    make_fetcher: MakeFetcher,
) -> None:
    with Blackhole() as hole:
        started = perf_counter()
        failed = await failure(await make_fetcher(connect_timeout=0.3), f"http://127.0.0.1:{hole.port}/")
    assert failed.failure.code is FailureCode.CONNECT_TIMEOUT
    assert 0.3 <= perf_counter() - started < 2


async def test_a_server_that_never_answers_is_a_timeout(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": sends(b"")}) as origin:
        failed = await failure(await make_fetcher(), origin.url(), timeout=0.2)
    assert failed.failure.code is FailureCode.TIMEOUT
    assert "had not answered" in failed.failure.detail
    assert failed.family == 4


async def test_a_byte_now_and_then_does_not_hold_off_the_deadline(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": drips(OK + b"\r\n", b"x", 0.05)}) as origin:
        started = perf_counter()
        failed = await failure(await make_fetcher(), origin.url(), timeout=0.5)
        assert perf_counter() - started < 2
        await asyncio.wait_for(origin.all_closed.wait(), 5)
    assert failed.failure.code is FailureCode.TIMEOUT
    assert failed.status == 200
    assert failed.bytes >= 1
    assert failed.ms["total"] >= 500


async def test_headers_that_drip_do_not_hold_off_the_deadline(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": drips(OK, b"X-A: b\r\n", 0.05)}) as origin:
        failed = await failure(await make_fetcher(), origin.url(), timeout=0.3)
    assert failed.failure.code is FailureCode.TIMEOUT


async def test_the_deadline_is_over_all_redirects_together(make_fetcher: MakeFetcher) -> None:
    async def late(exchange: Exchange) -> None:
        await asyncio.sleep(0.12)
        await exchange.send(b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: /\r\n\r\n")

    async with RawOrigin({"/": late}) as origin:
        failed = await failure(await make_fetcher(max_redirects=20), origin.url(), timeout=0.5)
    assert failed.failure.code is FailureCode.TIMEOUT
    assert 2 <= len(origin.seen) <= 5


@pytest.mark.parametrize("head", [b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n"], ids=["until the end", "chunked"])
async def test_an_endless_body_is_cut_at_the_limit(make_fetcher: MakeFetcher, head: bytes) -> None:
    piece = b"x" * 10_000
    piece = b"2710\r\n" + piece + b"\r\n" if b"chunked" in head else piece
    async with RawOrigin({"/": drips(OK + head, piece, 0)}) as origin:
        failed = await failure(await make_fetcher(max_body_bytes=300_000), origin.url())
        await asyncio.wait_for(origin.all_closed.wait(), 5)
    assert failed.failure.code is FailureCode.TOO_LARGE
    assert 300_000 < failed.bytes < 1_000_000


async def test_a_length_over_the_limit_is_refused_before_the_body(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": sends(OK + b"Content-Length: 1001\r\n\r\n")}) as origin:
        failed = await failure(await make_fetcher(max_body_bytes=1000), origin.url())
    assert failed.failure.code is FailureCode.TOO_LARGE
    assert failed.bytes == 0


async def test_a_body_of_exactly_the_limit_is_taken(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"x" * 1000), "/e": sends(OK + b"\r\n" + b"x" * 1000, then_close=True)}) as origin:
        fetcher = await make_fetcher(max_body_bytes=1000)
        for path in ("/", "/e"):
            assert len((await fetcher.fetch(parse(origin.url(path)), timeout=5)).body) == 1000


BROKEN = {
    "a length longer than the body": OK + b"Content-Length: 100\r\n\r\nshort",
    "a chunk that is cut off": OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\nshort",
    "chunks without an end": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    "a chunk size that is none": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nshort\r\n0\r\n\r\n",
    "nothing": b"",
    "half a head": OK + b"Content-Le",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "bytes at random": bytes(range(256)),
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a length that is none": OK + b"Content-Length: -1\r\n\r\nx",
    "a header line without end": OK + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n",
    "too many headers": OK + b"X-Many: x\r\n" * 5000 + b"Content-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_answer_is_malformed(make_fetcher: MakeFetcher, name: str) -> None:
    async with RawOrigin({"/": sends(BROKEN[name], then_close=True)}) as origin:
        failed = await failure(await make_fetcher(), origin.url())
    assert failed.failure.code is FailureCode.MALFORMED_RESPONSE
    assert len(origin.seen) == 1


async def test_large_headers_of_real_sites_are_taken(make_fetcher: MakeFetcher) -> None:
    headers = {"Content-Security-Policy": "x" * 30_000, **{f"X-{n}": "y" for n in range(200)}}
    async with RawOrigin({"/": reply(b"x", headers=headers)}) as origin:
        assert (await (await make_fetcher()).fetch(parse(origin.url()), timeout=5)).body == b"x"


async def test_a_reset_before_the_answer_is_refused_and_within_it_malformed(make_fetcher: MakeFetcher) -> None:
    async def before(exchange: Exchange) -> None:
        sock = exchange.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        exchange.reset()

    async def within(exchange: Exchange) -> None:
        await exchange.send(OK + b"Content-Length: 100\r\n\r\nshort")
        await before(exchange)

    async with RawOrigin({"/before": before, "/within": within}) as origin:
        fetcher = await make_fetcher()
        assert (await failure(fetcher, origin.url("/before"))).failure.code is FailureCode.CONNECT_REFUSED
        assert (await failure(fetcher, origin.url("/within"))).failure.code is FailureCode.MALFORMED_RESPONSE


async def test_a_cancelled_fetch_closes_its_connection(make_fetcher: MakeFetcher) -> None:
    asked = asyncio.Event()

    async def silent(exchange: Exchange) -> None:
        asked.set()

    async with RawOrigin({"/": silent}) as origin:
        fetcher = await make_fetcher()
        task = asyncio.create_task(fetcher.fetch(parse(origin.url()), timeout=30))
        await asyncio.wait_for(asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(origin.all_closed.wait(), 5)


async def test_an_answer_that_comes_unasked_is_nobodys_answer(make_fetcher: MakeFetcher) -> None:
    idle = asyncio.Event()

    async def twice(exchange: Exchange) -> None:
        await exchange.send(response(b"first"))
        await idle.wait()
        await exchange.send(response(b"unasked"))

    async with RawOrigin({"/": twice, "/b": reply(b"second")}) as origin:
        fetcher = await make_fetcher()
        assert (await fetcher.fetch(parse(origin.url()), timeout=5)).body == b"first"
        idle.set()
        await asyncio.wait_for(origin.all_closed.wait(), 5)
        assert (await fetcher.fetch(parse(origin.url("/b")), timeout=5)).body == b"second"
    assert origin.connections == 2


async def test_a_tls_handshake_that_stalls_is_given_up_after_the_connect_timeout(make_fetcher: MakeFetcher) -> None:
    async with Greeting(sends(b"")) as origin:
        failed = await failure(await make_fetcher(connect_timeout=0.3), f"https://127.0.0.1:{origin.port}/")
    assert failed.failure.code is FailureCode.CONNECT_TIMEOUT
    assert failed.failure.detail == "The TLS handshake was not finished in time."


async def test_a_redirect_to_a_url_beyond_the_limit_is_refused(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": redirect("/" + "a" * 9000)}) as origin:
        failed = await failure(await make_fetcher(), origin.url())
    assert failed.failure.code is FailureCode.INVALID_URL
    assert len(origin.seen) == 1
