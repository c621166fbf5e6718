"""One attempt at one item, with the real fetcher, converter, robots and database, against real origins."""

import asyncio
import gzip
import os
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psutil
import pytest
import trustme
from tests.files import pdf
from tests.origins.raw import Blackhole, Exchange, RawOrigin, redirect, reply, response, sends
from tests.pipeline.kit import MakeFetcher, attempts

from thresher.convert.converter import Converter
from thresher.convert.frame import Frame
from thresher.domain.choices import Choices, OnBlocked
from thresher.domain.failure import FailureCode
from thresher.domain.url import parse
from thresher.domain.way import Way, way
from thresher.net.dial import Dial
from thresher.net.fetch import Fetcher
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.item import NotNow, Tools, attempt
from thresher.pipeline.robots import Robots
from thresher.pipeline.stored import open_page
from thresher.settings import Settings
from thresher.storage import hosts
from thresher.storage.blobs import Blobs, Span
from thresher.storage.database import Pool
from thresher.storage.pages import Page

MIB = 2**20
HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = b"<!doctype html><title>Corn</title><h1>Corn</h1><p>It grows.</p><a href='/next'>on</a>"
# Takes the converter seconds: every link is another reference to join.
GONE = b"<title>Page not found</title><p>There is nothing here.</p>"
SLOW = b"<p>" + b"".join(b'<a href="../%d/./ /">x</a>' % n for n in range(120_000))


@asynccontextmanager
async def _tools(fetcher: Fetcher, settings: Settings, pool: Pool) -> AsyncIterator[Tools]:
    converter = Converter(
        timeout=settings.convert_timeout,
        memory_bytes=512 * MIB,
        max_decoded_bytes=settings.max_decoded_bytes,
        max_output_bytes=settings.max_output_bytes,
    )
    await converter.start()
    try:
        yield Tools(fetcher, converter, Robots(fetcher, pool, settings))
    finally:
        await converter.close()


DEFAULTS = Choices()


class Bench:
    """Attempts under settings of the test's choice."""

    def __init__(self, make_fetcher: MakeFetcher, pool: Pool) -> None:
        self._make_fetcher, self._pool = make_fetcher, pool

    async def attempt(self, url: str, timeout: float = 20.0, *, choices: Choices = DEFAULTS, **given: Any) -> Attempt:
        """The last one of the item."""
        fetcher, settings = await self._make_fetcher(**given)
        async with _tools(fetcher, settings, self._pool) as tools:
            return await attempts(url, tools, timeout, choices)

    async def known(self, url: str) -> str:
        """The same URL, with its origin's robots.txt remembered as empty: the page itself is the first thing asked for."""
        rules = {"rules": [], "crawl_delay": None, "agent": "thresher"}
        async with self._pool.acquire() as connection:
            await hosts.remember_robots(connection, parse(url).origin, rules, 60)
        return url


@pytest.fixture
def bench(make_fetcher: MakeFetcher, pool: Pool) -> Bench:
    return Bench(make_fetcher, pool)


def _failed(result: Attempt, code: FailureCode) -> dict[str, Any]:
    """The record of an attempt that must have failed with `code`, sound as every failure's record is."""
    assert result.failure is not None
    assert result.failure.code is code, result.failure.detail
    record = result.record
    read = "verdict" in record or code in (FailureCode.PARSER_NO_MATCH, FailureCode.PARSER_FAILED)
    assert (result.frame is not None) == (read and result.http == 200), "a page that was read is kept"
    assert (record["code"], record["detail"]) == (code, result.failure.detail)
    assert result.http == record.get("status")
    _sound(record)
    return record


def _sound(record: dict[str, Any]) -> None:
    assert datetime.fromisoformat(record["at"]).utcoffset() is not None
    assert 0 <= record["seconds"] < 60
    assert None not in record.values()
    assert b"\\u0000" not in orjson.dumps(record)  # the database takes no NUL


# -- success


async def test_a_page_becomes_a_frame_and_a_record(bench: Bench):
    async with RawOrigin({"/page": reply(PAGE, headers=HTML)}) as origin:
        result = await bench.attempt(origin.url("/page"))
        assert [exchange.path for exchange in origin.seen] == ["/robots.txt", "/page"]
    assert (result.failure, result.http, result.retry_after) == (None, 200, None)
    record = result.record
    _sound(record)
    charset = {"charset": "utf-8", "charset_source": "header", "charset_certainty": 1.0}
    assert {name: record[name] for name in charset} == charset
    assert set(record) - set(charset) == {"at", "code", "status", "bytes", "family", "ms", "seconds"}
    assert (record["code"], record["status"], record["bytes"], record["family"]) == ("ok", 200, len(PAGE), 4)
    assert set(record["ms"]) == {"robots", "dns", "connect", "first_byte", "total", "convert"}
    assert record["ms"]["convert"] > 0
    assert result.frame is not None
    frame = Frame.parse(result.frame)
    assert (frame.body, frame.header["title"], frame.header["url"]) == (PAGE, "Corn", origin.url("/page"))
    assert "It grows." in frame.markdown
    assert frame.links == [origin.url("/next")]
    meta = frame.header["meta"]
    assert (meta["status_code"], meta["redirects"], meta["fetched_at"]) == (200, [], record["at"])
    assert meta["headers"]["content-type"] == HTML["Content-Type"]


async def test_a_document_becomes_a_frame_with_pages_although_it_is_declared_as_bytes(bench: Bench):
    body = pdf.pdf(pdf.paragraphs("Corn", "It grows."), pdf.paragraphs("Wheat", "It is cut."), info={"Title": "Fields"})
    async with RawOrigin({"/": reply(body, headers={"Content-Type": "application/octet-stream"})}) as origin:
        result = await bench.attempt(origin.url())
    assert result.failure is None
    assert result.frame is not None
    frame = Frame.parse(result.frame)
    assert frame.markdown == "# Corn\n\nIt grows.\n\n---\n\n# Wheat\n\nIt is cut."
    assert [page["text"] for page in frame.pages] == ["Corn\n\nIt grows.", "Wheat\n\nIt is cut."]
    assert (frame.header["title"], frame.header["kind"], frame.html(MIB)) == ("Fields", "document", None)
    assert "charset" not in result.record


async def test_after_redirects_the_record_says_where_it_ended(bench: Bench):
    async with RawOrigin({"/a": redirect("/b"), "/b": redirect("/c"), "/c": reply(PAGE, headers=HTML)}) as origin:
        result = await bench.attempt(origin.url("/a"))
        assert result.record["final_url"] == origin.url("/c")
        assert result.frame is not None
        frame = Frame.parse(result.frame)
        assert frame.header["url"] == origin.url("/c")
        assert frame.header["meta"]["redirects"] == [origin.url("/a"), origin.url("/b")]


async def test_bytes_are_those_of_the_wire_and_the_body_stays_compressed(bench: Bench):
    body = gzip.compress(PAGE)
    async with RawOrigin({"/": reply(body, headers=HTML | {"Content-Encoding": "gzip"})}) as origin:
        result = await bench.attempt(origin.url())
    assert result.record["bytes"] == len(body)
    assert result.frame is not None
    assert Frame.parse(result.frame).body == body
    assert "It grows." in Frame.parse(result.frame).text


async def test_a_304_that_was_not_asked_for_confirms_no_stored_page_and_no_page_of_the_future_is_young(
    make_fetcher: MakeFetcher, pool: Pool, tmp_path: Path
) -> None:
    fetcher, settings = await make_fetcher()
    first = [reply(PAGE, headers=HTML), reply(status=304), reply(PAGE, headers=HTML | {"ETag": 'W/"1"'})]
    answers = chain(first, repeat(reply(status=304)))
    keep = Choices(on_blocked=OnBlocked.KEEP)

    async def next_one(exchange: Exchange) -> None:
        await next(answers)(exchange)

    routes = {
        "/": next_one,
        "/gone": reply(GONE, headers=HTML | {"ETag": '"2"'}),
        "/large": reply(PAGE + b" " * MIB, headers=HTML),
    }
    async with RawOrigin(routes) as origin, _tools(fetcher, settings, pool) as bare:
        tools = replace(bare, store=Blobs(tmp_path.as_uri()))
        assert tools.store is not None

        async def stored(result: Attempt) -> Page:
            assert tools.store is not None
            assert result.frame is not None
            await tools.store.put(key := f"packs/{uuid4()}", result.frame)
            return Page(1, 0, Span(key, 0, len(result.frame)))

        async def again(path: str = "/", page: Page | None = None) -> Attempt:
            [made] = await attempt(parse(origin.url(path)), tools, 20.0, [keep], page=page)
            return made

        plain = await stored(await again())
        _failed(await again(page=plain), FailureCode.HTTP_4XX)
        tagged = await stored(await again(page=plain))
        confirmed = await again(page=tagged)
        assert (confirmed.failure, confirmed.http, confirmed.record["status"]) == (None, 200, 304)
        assert confirmed.record["reused"] == {"batch": 1, "item": 0}
        large = await stored(await again("/large"))
        kept = await stored(await again("/gone"))
        assert (await again("/gone", kept)).record["status"] == 200
        sent = [exchange.headers.get("if-none-match") for exchange in origin.seen if exchange.path != "/robots.txt"]
        assert sent == [None, None, None, 'W/"1"', None, None, None], "a page that is none is not asked after"

        with tools.fetcher.lease() as lease:
            page = await open_page(tools.store, tagged, lease)
            assert lease.held == 0
            assert await open_page(tools.store, large, lease)
            assert large.span.length < MIB < lease.held, "what is small in the store has its room in memory"
        assert page is not None
        assert (page.is_good(3600), page.is_good(0)) == (True, False)
        ahead = replace(page, at=(datetime.now(UTC) + timedelta(minutes=5)).isoformat())
        assert not ahead.is_good(0), "0 asks always, whatever the clocks"
        assert not ahead.is_good(60)


async def test_nuls_in_a_page_reach_nothing_that_is_stored_as_text(bench: Bench):
    page = b"<title>C\0orn</title><p>It\0 grows.&#0;</p><a href='/n\0'>on</a>"
    async with RawOrigin({"/": reply(page, headers=HTML)}) as origin:
        result = await bench.attempt(origin.url())
    _sound(result.record)
    assert result.frame is not None
    frame = Frame.parse(result.frame)
    assert frame.body == page
    assert "\0" not in "".join([frame.header["title"], frame.markdown, frame.text, *frame.links])


async def test_a_nul_in_a_header_reaches_no_record(bench: Bench):
    async with RawOrigin({"/": reply(PAGE, headers={"Content-Type": "image/x\0y"})}) as origin:
        result = await bench.attempt(origin.url())
    _sound(result.record)
    assert result.frame is not None
    assert Frame.parse(result.frame).header["content_type"] is None


async def test_bytes_that_are_not_utf8_in_headers_cost_neither_the_page_nor_the_converter(bench: Bench):
    odd = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; x=\xff\r\nETag: \xe4\r\nContent-Length: %d\r\n\r\n" % len(PAGE)
    async with RawOrigin({"/": sends(odd + PAGE)}) as origin:
        result = await bench.attempt(origin.url())
    assert result.failure is None
    assert result.frame is not None
    frame = Frame.parse(result.frame)
    assert frame.header["content_type"] == "text/html; x=\ufffd"
    assert frame.header["meta"]["headers"]["etag"] == "\ufffd"


# -- robots.txt


async def test_a_forbidden_page_is_not_asked_for(bench: Bench):
    async with RawOrigin({"/robots.txt": reply(b"User-agent: *\nDisallow: /")}) as origin:
        record = _failed(await bench.attempt(origin.url("/page")), FailureCode.ROBOTS_DISALLOWED)
        assert [exchange.path for exchange in origin.seen] == ["/robots.txt"]
    assert set(record) == {"at", "code", "detail", "ms", "seconds"}
    assert set(record["ms"]) == {"robots"}


async def test_a_redirect_to_a_forbidden_page_is_not_followed(bench: Bench):
    rules = reply(b"User-agent: *\nDisallow: /private")
    async with RawOrigin({"/robots.txt": rules, "/private": reply(PAGE, headers=HTML)}) as other:
        async with RawOrigin({"/": redirect(other.url("/private"))}) as origin:
            record = _failed(await bench.attempt(origin.url()), FailureCode.ROBOTS_DISALLOWED)
        assert record["detail"] == f"{other.url('/robots.txt')} disallows this path."
        assert [exchange.path for exchange in other.seen] == ["/robots.txt"]


async def test_a_failure_of_robots_txt_is_not_taken_for_the_pages(bench: Bench):
    broken = sends(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nUser-agent: *\n", then_close=True)
    async with RawOrigin({"/robots.txt": broken}) as origin:
        result = await bench.attempt(origin.url("/page"))
    record = _failed(result, FailureCode.MALFORMED_RESPONSE)
    assert result.http is None
    assert "bytes" not in record
    assert record["detail"].startswith("robots.txt: ")


async def test_a_redirect_to_another_host_ends_the_attempt_where_it_leads(make_fetcher: MakeFetcher, pool: Pool):
    fetcher, settings = await make_fetcher(max_redirects=2, connect_to="other.example:80=127.0.0.1:1")
    async with (
        RawOrigin({"/a": redirect("/b"), "/b": redirect("http://other.example/c#part")}) as origin,
        _tools(fetcher, settings, pool) as tools,
    ):
        [moved] = await attempt(parse(origin.url("/a")), tools, 10, [Choices()])
        assert moved.moved == parse("http://other.example/c#part")
        assert (moved.failure, moved.frame) == (None, None)
        _sound(moved.record)
        assert (moved.record["code"], moved.record["status"], moved.record["to"]) == ("moved", 302, moved.moved.href)
        assert moved.record["redirects"] == [origin.url("/a"), origin.url("/b")]
        # And the redirects so far count, wherever they were.
        on = way(origin.url("/a"), [moved.record])
        [again] = await attempt(Way(parse(origin.url("/a")), on.redirects), tools, 10, [Choices()])
        _failed(again, FailureCode.TOO_MANY_REDIRECTS)


async def test_what_may_not_begin_yet_sends_nothing_and_what_may_not_go_on_yet_waits_its_turn(
    make_fetcher: MakeFetcher, pool: Pool
):
    told: list[float | None] = []

    async def may_begin(crawl_delay: float | None) -> bool:
        told.append(crawl_delay)
        return len(told) == 2

    fetcher, settings = await make_fetcher()
    rules = reply(b"User-agent: *\nCrawl-delay: 7\n")
    async with (
        RawOrigin({"/robots.txt": rules, "/a": redirect("/b")}) as origin,
        _tools(fetcher, settings, pool) as tools,
    ):
        with pytest.raises(NotNow):
            await attempt(parse(origin.url("/a")), tools, 10, [Choices()], may_begin)
        assert [exchange.path for exchange in origin.seen] == ["/robots.txt"]
        [result] = await attempt(parse(origin.url("/a")), tools, 10, [Choices()], may_begin)
        assert [exchange.path for exchange in origin.seen] == ["/robots.txt", "/a"]
    assert told == [7.0, 7.0, 7.0]
    assert result.record["to"] == origin.url("/b")


# -- statuses


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, FailureCode.HTTP_4XX),
        (403, FailureCode.HTTP_4XX),
        (304, FailureCode.HTTP_4XX),
        (500, FailureCode.HTTP_5XX),
        (503, FailureCode.HTTP_5XX),
        (429, FailureCode.RATE_LIMITED),
    ],
)
async def test_an_error_status_is_in_the_record_with_all_that_was_fetched(bench: Bench, status: int, code: FailureCode):
    body = b"" if status == 304 else b"no"
    async with RawOrigin({"/": reply(body, status)}) as origin:
        result = await bench.attempt(origin.url())
    record = _failed(result, code)
    assert (record["status"], record["bytes"], record["family"], result.http) == (status, len(body), 4, status)
    assert set(record["ms"]) - {"convert"} == {"robots", "dns", "connect", "first_byte", "total"}


# -- the verdict


async def test_a_page_that_says_there_is_none_fails_with_the_evidence(bench: Bench):
    async with RawOrigin({"/": reply(GONE, headers=HTML)}) as origin:
        result = await bench.attempt(origin.url())
    record = _failed(result, FailureCode.SOFT_404)
    assert record["detail"] == "A page that says there is no such page: the title says 'page not found'."
    assert record["verdict"] == {"code": "soft_404", "evidence": ["the title says 'page not found'"]}
    assert record["status"] == 200


async def test_a_batch_that_keeps_such_answers_has_the_answer_and_the_verdict(bench: Bench):
    async with RawOrigin({"/": reply(GONE, headers=HTML)}) as origin:
        result = await bench.attempt(origin.url(), choices=Choices(on_blocked=OnBlocked.KEEP))
    assert result.failure is None
    assert result.record["code"] == "ok"
    assert result.frame is not None
    frame = Frame.parse(result.frame)
    assert "There is nothing here" in frame.markdown
    assert frame.header["verdict"] == result.record["verdict"]


async def test_a_page_is_parsed_as_the_batch_wants_and_a_parser_without_a_result_fails_by_name(bench: Bench):
    deep = b"<p>Corn</p><div itemscope>" + b"<div itemscope itemprop=x>" * 450
    pages = {"/corn": reply(PAGE, headers=HTML), "/deep": reply(deep, headers=HTML), "/gone": reply(GONE, headers=HTML)}
    async with RawOrigin(pages) as origin:
        parsed = await bench.attempt(origin.url("/corn"), choices=Choices(parser="@thresher/links"))
        assert parsed.frame is not None
        assert orjson.loads(Frame.parse(parsed.frame).json(MIB) or "") == {
            "links": [{"href": origin.url("/next"), "text": "on", "rel": []}]
        }
        none = await bench.attempt(origin.url("/corn"), choices=Choices(parser="@thresher/product"))
        failed = await bench.attempt(origin.url("/deep"), choices=Choices(parser="@thresher/metadata"))
        gone = await bench.attempt(origin.url("/gone"), choices=Choices(parser="@thresher/product"))
    record = _failed(none, FailureCode.PARSER_NO_MATCH)
    assert record["detail"] == "The page has no product in JSON-LD, microdata, RDFa or Open Graph."
    assert "RecursionError" in _failed(failed, FailureCode.PARSER_FAILED)["detail"]
    _failed(gone, FailureCode.SOFT_404)  # that it is not the page says more


async def test_a_redirect_to_a_login_is_a_login(bench: Bench):
    form = b"<title>Sign in</title><h1>Sign in</h1><form><input type=password></form>"
    async with RawOrigin({"/a": redirect("/login?next=/a"), "/login?next=/a": reply(form, headers=HTML)}) as origin:
        record = _failed(await bench.attempt(origin.url("/a")), FailureCode.LOGIN_REQUIRED)
    assert record["verdict"]["evidence"][-1] == "a redirect led to a login page"


@pytest.mark.parametrize("choices", [Choices(), Choices(on_blocked=OnBlocked.KEEP)])
@pytest.mark.parametrize("status", [403, 503])
async def test_an_error_that_is_a_challenge_says_so(bench: Bench, status: int, choices: Choices):
    challenge = b"<title>Just a moment...</title><script>window._cf_chl_opt={}</script>"
    async with RawOrigin({"/": reply(challenge, status, HTML)}) as origin:
        record = _failed(await bench.attempt(origin.url(), choices=choices), FailureCode.SITE_BLOCKED)
    assert record["detail"].startswith(f"The server answered {status} with a challenge or a block page: ")
    assert record["verdict"]["code"] == "site_blocked"


@pytest.mark.parametrize("title", ["403 Forbidden", "Forbidden", "403"])
async def test_a_servers_plain_page_for_its_status_says_no_more_than_the_status(bench: Bench, title: str):
    page = f"<title>{title}</title><center><h1>{title}</h1></center>".encode()
    async with RawOrigin({"/": reply(page, 403, HTML)}) as origin:
        assert "verdict" not in _failed(await bench.attempt(origin.url()), FailureCode.HTTP_4XX)


async def test_an_error_whose_page_cannot_be_converted_stays_that_error(bench: Bench):
    async with RawOrigin({"/": reply(b"\x89PNG\r\n\x1a\n", 403, {"Content-Type": "image/png"})}) as origin:
        _failed(await bench.attempt(origin.url()), FailureCode.HTTP_4XX)


async def test_retry_after_in_seconds_is_passed_on(bench: Bench):
    async with RawOrigin({"/": reply(b"", 429, {"Retry-After": "17"})}) as origin:
        assert (await bench.attempt(origin.url())).retry_after == 17.0


async def test_retry_after_as_a_date_makes_a_503_a_request_to_wait(bench: Bench):
    date = formatdate(time.time() + 600, usegmt=True)
    async with RawOrigin({"/": reply(b"", 503, {"Retry-After": date})}) as origin:
        result = await bench.attempt(origin.url())
    _failed(result, FailureCode.RATE_LIMITED)
    assert result.retry_after is not None
    assert 500 < result.retry_after <= 600


# -- the network


async def test_a_private_address_is_blocked(bench: Bench):
    async with RawOrigin({}) as origin:
        _failed(await bench.attempt(await bench.known(origin.url()), fetch_allow=""), FailureCode.BLOCKED_ADDRESS)
        assert origin.connections == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [(socket.EAI_NONAME, FailureCode.DNS_NOT_FOUND), (socket.EAI_AGAIN, FailureCode.DNS_FAILED)],
)
async def test_a_name_without_an_address_says_why(bench: Bench, pool: Pool, error: int, code: FailureCode):
    async def lookup(host: str) -> list[Any]:
        raise socket.gaierror(error, "as the system's resolver raises it")

    dial = Dial(allow=(), connect_to=(), extra_ca=None, connect_timeout=5, limit=4, lookup=lookup)
    url = await bench.known("http://corn.example/")
    async with (
        Fetcher(dial, user_agent="Thresher/test", max_body_bytes=MIB, max_redirects=5) as fetcher,
        _tools(fetcher, Settings(user_agent="Thresher/test"), pool) as tools,
    ):
        record = _failed((await attempt(parse(url), tools, 10, [Choices()]))[0], code)
    assert "first_byte" not in record["ms"]
    assert record["bytes"] == 0


async def test_a_refused_connection_is_named(bench: Bench):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        url = await bench.known(f"http://127.0.0.1:{taken.getsockname()[1]}/")
        _failed(await bench.attempt(url), FailureCode.CONNECT_REFUSED)


async def test_a_connection_that_is_never_made_is_named(bench: Bench):
    with Blackhole() as hole:
        url = await bench.known(f"http://127.0.0.1:{hole.port}/")
        _failed(await bench.attempt(url, connect_timeout=0.2), FailureCode.CONNECT_TIMEOUT)


async def test_an_untrusted_certificate_is_named(bench: Bench):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with RawOrigin({}, tls=context) as origin:
        _failed(await bench.attempt(await bench.known(origin.url())), FailureCode.TLS_ERROR)


async def _silent(exchange: Exchange) -> None:
    await asyncio.Event().wait()


async def test_a_server_that_never_answers_runs_into_the_timeout(bench: Bench):
    async with RawOrigin({"/": _silent}) as origin:
        record = _failed(await bench.attempt(await bench.known(origin.url()), timeout=0.3), FailureCode.TIMEOUT)
    assert "status" not in record
    assert record["seconds"] >= 0.3


async def test_a_body_that_breaks_off_leaves_status_and_bytes(bench: Bench):
    broken = sends(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<p>half", then_close=True)
    async with RawOrigin({"/": broken}) as origin:
        result = await bench.attempt(origin.url())
    record = _failed(result, FailureCode.MALFORMED_RESPONSE)
    assert (record["status"], record["bytes"]) == (200, 7)


@pytest.mark.parametrize(
    ("responder", "code"),
    [
        (sends(b"220 smtp.example ESMTP\r\n", then_close=True), FailureCode.MALFORMED_RESPONSE),
        (redirect("/"), FailureCode.TOO_MANY_REDIRECTS),
        (redirect("ftp://corn.example/"), FailureCode.INVALID_URL),
        (redirect("http://user:secret@corn.example/"), FailureCode.INVALID_URL),
        (redirect("http://169.254.169.254/latest"), FailureCode.BLOCKED_ADDRESS),
        (reply(b"x" * (MIB + 1), headers=HTML), FailureCode.TOO_LARGE),
        (
            reply(gzip.compress(b"x" * 3 * MIB), headers=HTML | {"Content-Encoding": "gzip"}),
            FailureCode.DECOMPRESSION_BOMB,
        ),
        (reply(b"plain", headers=HTML | {"Content-Encoding": "gzip"}), FailureCode.BAD_ENCODING),
        (reply(b"%!PS-Adobe", headers={"Content-Type": "application/postscript"}), FailureCode.UNSUPPORTED_CONTENT),
        (reply(b"%PDF-1.7", headers={"Content-Type": "application/pdf"}), FailureCode.DOCUMENT_BROKEN),
        (reply(b"<p>" + b"grain " * 100_000, headers=HTML), FailureCode.CONVERSION_LIMIT),
    ],
)
async def test_what_is_wrong_with_an_answer_has_its_code(bench: Bench, responder: Any, code: FailureCode):
    limits = {"max_body_bytes": MIB, "max_decoded_bytes": 2 * MIB, "max_output_bytes": 100_000, "max_redirects": 5}
    async with RawOrigin({"/": responder}) as origin:
        record = _failed(await bench.attempt(origin.url(), **limits), code)
    assert "secret" not in record["detail"]
    assert "169.254" not in record["detail"]
    assert "ms" in record
    assert ("bytes" in record) == (code is not FailureCode.BLOCKED_ADDRESS)  # there, nothing was even asked for


# -- the converter


async def test_a_page_that_takes_too_long_to_convert_is_ended(bench: Bench):
    async with RawOrigin({"/": reply(SLOW, headers=HTML)}) as origin:
        record = _failed(await bench.attempt(origin.url(), convert_timeout=0.2), FailureCode.CONVERSION_LIMIT)
    assert (record["status"], record["bytes"]) == (200, len(SLOW))


def _wait_until_busy(pid: int) -> None:
    child = psutil.Process(pid)
    start = child.cpu_times().user
    while child.cpu_times().user < start + 0.1:
        time.sleep(0.005)


async def test_a_page_that_kills_its_converter_twice_fails_by_name(make_fetcher: MakeFetcher, pool: Pool):
    fetcher, settings = await make_fetcher()
    async with RawOrigin({"/": sends(response(SLOW, 200, HTML))}) as origin, _tools(fetcher, settings, pool) as tools:
        task = asyncio.create_task(attempt(parse(origin.url()), tools, 20, [Choices()]))
        killed: set[int] = set()
        while len(killed) < 2:
            await asyncio.sleep(0)
            if (pid := tools.converter.pid) is not None and pid not in killed:
                await asyncio.to_thread(_wait_until_busy, pid)
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        _failed((await task)[0], FailureCode.CONVERSION_FAILED)


async def test_a_cancelled_attempt_is_cancelled(make_fetcher: MakeFetcher, pool: Pool):
    fetcher, settings = await make_fetcher()
    arrived = asyncio.Event()

    async def hold(exchange: Exchange) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with RawOrigin({"/": hold}) as origin, _tools(fetcher, settings, pool) as tools:
        task = asyncio.create_task(attempt(parse(origin.url()), tools, 20, [Choices()]))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
