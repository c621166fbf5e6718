"""Fetching from well-behaved origins: bodies, headers, statuses, redirects, kept connections, phases."""

import asyncio
import gzip
import json
from pathlib import Path

import pytest
from aiohttp import web
from tests.net.kit import MakeFetcher, failure
from tests.origins.raw import Exchange, RawOrigin, redirect, reply, response, sends

from thresher.domain.failure import FailureCode
from thresher.domain.url import parse
from thresher.net import connector
from thresher.net.fetch import Fetcher
from thresher.settings import Settings


async def test_a_page_comes_with_its_body_headers_and_phases(make_fetcher: MakeFetcher) -> None:
    headers = {"Content-Type": "text/html; charset=x", "ETag": '"1"', "X-Robots-Tag": "noindex", "X-Other": "no"}
    async with RawOrigin({"/a?b=c": reply(b"hello", headers=headers)}) as origin:
        fetched = await (await make_fetcher()).fetch(parse(origin.url("/a?b=c#part")), timeout=5)
    assert (fetched.status, fetched.body, fetched.family) == (200, b"hello", 4)
    assert fetched.content_type == "text/html; charset=x"
    assert fetched.content_encoding is None
    assert fetched.headers == {"content-type": "text/html; charset=x", "etag": '"1"', "x-robots-tag": "noindex"}
    assert fetched.url == origin.url("/a?b=c#part")
    assert set(fetched.ms) == {"dns", "connect", "first_byte", "total"}
    assert 0 < fetched.ms["connect"] <= fetched.ms["first_byte"] <= fetched.ms["total"]
    (seen,) = origin.seen
    assert seen.path == "/a?b=c"
    assert seen.headers["user-agent"] == "test/1"
    assert seen.headers["accept-encoding"] == "gzip, deflate, br, zstd"
    assert "cookie" not in seen.headers


async def test_a_page_of_an_ipv6_host_says_so(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"six")}, host="::1") as origin:
        fetched = await (await make_fetcher()).fetch(parse(origin.url()), timeout=5)
    assert (fetched.body, fetched.family) == (b"six", 6)
    assert origin.seen[0].headers["host"] == f"[::1]:{origin.port}"


async def test_a_compressed_body_is_kept_as_it_came(make_fetcher: MakeFetcher) -> None:
    packed = gzip.compress(b"hello" * 100)
    async with RawOrigin({"/": reply(packed, headers={"Content-Encoding": "gzip"})}) as origin:
        fetched = await (await make_fetcher()).fetch(parse(origin.url()), timeout=5)
    assert fetched.body == packed
    assert fetched.content_encoding == "gzip"


async def test_a_large_body_arrives_whole_with_a_length_in_chunks_or_until_the_end(make_fetcher: MakeFetcher) -> None:
    body = bytes(range(256)) * 3000
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:70_000], body[70_000:]))
    responders = {
        "/length": reply(body),
        "/chunked": sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"),
        "/end": sends(b"HTTP/1.0 200 OK\r\n\r\n" + body, then_close=True),
    }
    async with RawOrigin(responders) as origin:
        fetcher = await make_fetcher()
        for path in responders:
            assert (await fetcher.fetch(parse(origin.url(path)), timeout=5)).body == body


@pytest.mark.parametrize("status", [204, 304, 404, 410, 429, 500, 503])
async def test_an_error_status_is_a_response(make_fetcher: MakeFetcher, status: int) -> None:
    body = b"" if status in (204, 304) else b"sorry"
    async with RawOrigin({"/": reply(body, status, {"Retry-After": "7"})}) as origin:
        fetched = await (await make_fetcher()).fetch(parse(origin.url()), timeout=5)
    assert (fetched.status, fetched.body, fetched.headers["retry-after"]) == (status, body, "7")


async def test_the_path_is_sent_as_the_parser_wrote_it(make_fetcher: MakeFetcher) -> None:
    paths = {
        "/a%2Fb/%zz": "/a%2Fb/%zz",
        "//x/../y;z=1?q=a+b%20c&d[]=|": "//y;z=1?q=a+b%20c&d[]=|",
        "/ü?ü": "/%C3%BC?%C3%BC",
    }
    paths |= {"/?": "/", "/#top": "/", "/a?#x": "/a", "/a??": "/a??"}
    async with RawOrigin({}) as origin:
        fetcher = await make_fetcher()
        for path in paths:
            await fetcher.fetch(parse(origin.url(path)), timeout=5)
    assert [seen.path for seen in origin.seen] == list(paths.values())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(make_fetcher: MakeFetcher, status: int) -> None:
    async with RawOrigin({"/a": redirect("b?c", status, b"moved"), "/b?c": reply(b"here")}) as origin:
        fetched = await (await make_fetcher()).fetch(parse(origin.url("/a")), timeout=5)
    assert (fetched.status, fetched.body, fetched.url) == (200, b"here", origin.url("/b?c"))
    assert fetched.redirects == [origin.url("/a")]
    assert origin.connections == 1  # the redirect's body was read, and the connection kept


@pytest.mark.parametrize("status", [300, 304, 305])
async def test_other_statuses_with_a_location_are_responses(make_fetcher: MakeFetcher, status: int) -> None:
    async with RawOrigin({"/": reply(b"", status, {"Location": "/b"})}) as origin:
        fetched = await (await make_fetcher()).fetch(parse(origin.url()), timeout=5)
    assert (fetched.status, fetched.headers["location"], fetched.redirects) == (status, "/b", [])


async def test_a_redirect_without_a_location_is_a_response(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"where?", 302)}) as origin:
        fetched = await (await make_fetcher()).fetch(parse(origin.url()), timeout=5)
    assert (fetched.status, fetched.body) == (302, b"where?")


async def test_a_location_of_raw_bytes_is_read_as_browsers_do(make_fetcher: MakeFetcher) -> None:
    latin = b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: /caf\xe9\r\n\r\n"
    utf8 = "HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: /café\r\n\r\n".encode()
    async with RawOrigin({"/latin": sends(latin), "/utf8": sends(utf8)}) as origin:
        fetcher = await make_fetcher()
        for path in ("/latin", "/utf8"):
            await fetcher.fetch(parse(origin.url(path)), timeout=5)
    assert [seen.path for seen in origin.seen] == ["/latin", "/caf%E9", "/utf8", "/caf%C3%A9"]


async def test_a_redirect_with_an_endless_body_is_followed_without_it(make_fetcher: MakeFetcher) -> None:
    head = b"HTTP/1.1 302 F\r\nLocation: /b\r\n\r\n"

    async def endless(exchange: Exchange) -> None:
        await exchange.send(head)
        while not exchange.writer.is_closing():
            await exchange.send(b"x" * 65_536)

    async with RawOrigin({"/a": endless, "/b": reply(b"here")}) as origin:
        fetched = await (await make_fetcher()).fetch(parse(origin.url("/a")), timeout=5)
    assert fetched.body == b"here"
    assert origin.connections == 2


async def test_a_redirect_loop_ends_at_the_limit(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/a": redirect("/b"), "/b": redirect("/a")}) as origin:
        failed = await failure(await make_fetcher(max_redirects=4), origin.url("/a"))
    assert failed.failure.code is FailureCode.TOO_MANY_REDIRECTS
    assert failed.status == 302
    assert len(origin.seen) == 5


async def test_private_headers_go_to_the_first_origin_and_after_a_redirect_to_another_to_none_not_even_back_there(
    make_fetcher: MakeFetcher,
) -> None:
    private = {"Authorization": "Bearer x", "cookie": "a=b", "accept-language": "fy"}
    async with RawOrigin({"/c": reply(b"")}) as first, RawOrigin({"/a": redirect(first.url("/c"))}) as other:
        first.responders |= {"/a": redirect("/b"), "/b": redirect(other.url("/a"))}
        fetcher, start = await make_fetcher(), parse(first.url("/a"))
        common = {"Accept-Language": "de", "X-Plain": "1"}
        await fetcher.fetch(start, timeout=5, headers=common, private=private)
        await fetcher.fetch(parse(first.url("/c")), timeout=5, private=private, redirects=[first.url("/a")])
        await fetcher.fetch(parse(first.url("/c")), timeout=5, private=private, redirects=[first.url(), other.url()])
    names = ("authorization", "cookie", "accept-language", "x-plain")
    seen = [(one.path, *map(one.headers.get, names)) for one in [*first.seen, *other.seen]]
    own = ("Bearer x", "a=b", "fy")
    assert seen == [
        ("/a", *own, "1"),
        ("/b", *own, "1"),
        ("/c", None, None, "de", "1"),
        ("/c", *own, None),
        ("/c", None, None, None, None),
        ("/a", None, None, "de", "1"),
    ]


async def test_a_cookie_that_is_set_is_not_sent_back(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"", headers={"Set-Cookie": "a=b; Path=/"})}) as origin:
        fetcher = await make_fetcher()
        for _ in range(2):
            await fetcher.fetch(parse(origin.url()), timeout=5)
    assert ["cookie" in seen.headers for seen in origin.seen] == [False, False]


async def test_a_connection_is_kept_and_its_second_use_costs_no_connect(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"x")}) as origin:
        fetcher = await make_fetcher()
        await fetcher.fetch(parse(origin.url()), timeout=5)
        second = await fetcher.fetch(parse(origin.url()), timeout=5)
    assert origin.connections == 1
    assert (second.ms["dns"], second.ms["connect"], second.family) == (0, 0, 4)


async def test_connections_are_kept_to_the_hosts_last_used_and_no_more(
    make_fetcher: MakeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "IDLE_HOSTS", 3)
    async with RawOrigin({"/": reply(b"x")}) as origin:
        fetcher = await make_fetcher(connect_to=[f"*:80=127.0.0.1:{origin.port}"])
        for host in ("a", "b", "a", "c", "d", "a", "b"):
            await fetcher.fetch(parse(f"http://{host}.example/"), timeout=5)
    # d pushed out b, the longest idle, while a had been used again.
    assert [seen.connection for seen in origin.seen] == [1, 2, 1, 3, 4, 1, 5]


async def test_a_kept_connection_that_the_server_closed_is_replaced_unseen(make_fetcher: MakeFetcher) -> None:
    async def once(exchange: Exchange) -> None:
        if len([seen for seen in origin.seen if seen.connection == exchange.connection]) > 1:
            exchange.close()  # it closes exactly when the next request arrives: the race of keep-alive
        else:
            await exchange.send(response(b"fresh"))

    async with RawOrigin({"/": once}) as origin:
        fetcher = await make_fetcher()
        for _ in range(2):
            assert (await fetcher.fetch(parse(origin.url()), timeout=5)).body == b"fresh"
    assert [seen.connection for seen in origin.seen] == [1, 1, 2]


async def test_a_fresh_connection_that_is_closed_unanswered_is_not_tried_again(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": sends(b"", then_close=True)}) as origin:
        failed = await failure(await make_fetcher(), origin.url())
    assert failed.failure.code is FailureCode.MALFORMED_RESPONSE
    assert len(origin.seen) == 1


async def test_a_kept_connection_that_breaks_off_in_an_answer_is_not_tried_again(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"x"), "/b": sends(b"HTTP/1.1 200 OK\r\nContent-", then_close=True)}) as origin:
        fetcher = await make_fetcher()
        await fetcher.fetch(parse(origin.url()), timeout=5)
        failed = await failure(fetcher, origin.url("/b"))
    assert failed.failure.code is FailureCode.MALFORMED_RESPONSE
    assert len(origin.seen) == 2


async def test_many_fetches_run_at_once(make_fetcher: MakeFetcher) -> None:
    gate = asyncio.Barrier(8)

    async def together(exchange: Exchange) -> None:
        await gate.wait()  # answers only when all eight are there
        await exchange.send(response(exchange.path.encode()))

    paths = [f"/{n}" for n in range(8)]
    async with RawOrigin(dict.fromkeys(paths, together)) as origin:
        fetcher = await make_fetcher()
        results = await asyncio.gather(*(fetcher.fetch(parse(origin.url(path)), timeout=5) for path in paths))
    assert [result.body.decode() for result in results] == paths


async def test_a_server_of_another_make_is_understood(make_fetcher: MakeFetcher) -> None:
    async def page(request: web.Request) -> web.Response:
        answer = web.json_response({"host": request.host})
        answer.enable_compression(web.ContentCoding.gzip)
        return answer

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        fetched = await (await make_fetcher()).fetch(parse(f"http://127.0.0.1:{port}/"), timeout=5)
    finally:
        await runner.cleanup()
    assert fetched.content_encoding == "gzip"
    assert json.loads(gzip.decompress(fetched.body)) == {"host": f"127.0.0.1:{port}"}


async def test_the_settings_make_a_fetcher(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, fetch_allow=("127.0.0.1",), user_agent="mine/2", max_body_bytes=1024)
    responders = {"/": reply(b"x" * 1024), "/b": reply(b"x" * 1025)}
    async with RawOrigin(responders) as origin, Fetcher.from_settings(settings) as fetcher:
        assert len((await fetcher.fetch(parse(origin.url()), timeout=5)).body) == 1024
        assert (await failure(fetcher, origin.url("/b"))).failure.code is FailureCode.TOO_LARGE
    assert origin.seen[0].headers["user-agent"] == "mine/2"
