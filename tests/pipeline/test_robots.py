"""robots.txt asked of real origins, remembered in a real database."""

import asyncio
import gzip
import os
import socket
import zlib
from itertools import pairwise

import asyncpg
import brotli
import pytest
import zstandard
from tests.origins.raw import Exchange, RawOrigin, Responder, drips, redirect, reply, sends
from tests.pipeline.kit import Held, MakeFetcher, MakeRobots, allowed, asked, refused

from thresher.domain.failure import FailureCode
from thresher.domain.url import parse
from thresher.pipeline import robots as module
from thresher.pipeline.robots import Robots
from thresher.storage import database, hosts
from thresher.storage.database import Pool

RULES = b"User-agent: *\nDisallow: /private\n"
MIB = 2**20


async def _closes(exchange: Exchange) -> None:
    exchange.close()


async def test_rules_are_obeyed(robots: Robots):
    async with RawOrigin({"/robots.txt": reply(RULES)}) as origin:
        assert await allowed(robots, origin.url("/open"))
        failure = await refused(robots, origin.url("/private/x"))
        assert failure.code is FailureCode.ROBOTS_DISALLOWED
        assert origin.url("/robots.txt") in failure.detail


async def test_our_own_group_counts(make_robots: MakeRobots):
    text = b"User-agent: corncrake\nDisallow: /x\n\nUser-agent: *\nDisallow: /"
    async with RawOrigin({"/robots.txt": reply(text)}) as origin:
        robots = await make_robots(user_agent="CornCrake/2.0 (+https://c.example)")
        assert await allowed(robots, origin.url("/y"))
        assert not await allowed(robots, origin.url("/x"))
        assert origin.seen[0].headers["user-agent"] == "CornCrake/2.0 (+https://c.example)"


# -- asked once


async def test_fifty_at_once_ask_once(robots: Robots):
    held = Held(reply(RULES))
    async with RawOrigin({"/robots.txt": held}) as origin:
        waiting = [asyncio.create_task(allowed(robots, origin.url(f"/{n % 2 and 'private'}"))) for n in range(50)]
        await held.arrived.wait()
        held.release.set()
        assert await asyncio.gather(*waiting) == [True, False] * 25
        assert asked(origin) == 1


async def test_each_origin_is_asked_for_itself(robots: Robots):
    async with RawOrigin({"/robots.txt": reply(RULES)}) as first, RawOrigin({}) as second:
        assert not await allowed(robots, first.url("/private"))
        assert await allowed(robots, second.url("/private"))
        assert (asked(first), asked(second)) == (1, 1)


async def test_another_process_has_the_answer_from_the_database(make_robots: MakeRobots):
    async with RawOrigin({"/robots.txt": reply(RULES)}) as origin:
        assert not await allowed(await make_robots(), origin.url("/private"))
        assert not await allowed(await make_robots(), origin.url("/private"))
        assert asked(origin) == 1


async def test_another_user_agent_has_to_ask_for_itself(make_robots: MakeRobots):
    async with RawOrigin({"/robots.txt": reply(b"User-agent: b\nDisallow: /\n")}) as origin:
        assert await allowed(await make_robots(user_agent="a/1"), origin.url("/"))
        assert not await allowed(await make_robots(user_agent="b/1"), origin.url("/"))
        assert asked(origin) == 2


async def test_an_answer_is_kept_for_a_day_at_most(robots: Robots, pool: Pool):
    async with RawOrigin({"/robots.txt": reply(RULES)}) as origin:
        await allowed(robots, origin.url("/"))
    seconds = await pool.fetchval("SELECT extract(epoch FROM expires_at - now())::float8 FROM robots")
    assert 80_000 < seconds + module._LOCAL_SECONDS <= 86_400


async def test_the_process_forgets_after_its_time_and_asks_the_database(make_fetcher: MakeFetcher, pool: Pool):
    now = [0.0]
    fetcher, settings = await make_fetcher()
    robots = Robots(fetcher, pool, settings, clock=lambda: now[0])
    async with RawOrigin({"/robots.txt": reply(RULES)}) as origin:
        await allowed(robots, origin.url("/"))
        await pool.execute("DELETE FROM robots")
        now[0] = 299.0
        assert not await allowed(robots, origin.url("/private"))
        assert asked(origin) == 1
        now[0] = 301.0
        assert not await allowed(robots, origin.url("/private"))
        assert asked(origin) == 2


async def test_without_the_database_the_site_is_asked(make_fetcher: MakeFetcher, database_url: str):
    closed = await database.open_pool(database_url, "gone", size=1)
    await closed.close()
    fetcher, settings = await make_fetcher()
    async with RawOrigin({"/robots.txt": reply(RULES)}) as origin:
        assert not await allowed(Robots(fetcher, closed, settings), origin.url("/private"))


async def test_of_many_origins_the_database_is_asked_at_once_and_not_again(make_robots: MakeRobots, pool: Pool):
    async with RawOrigin({"/robots.txt": reply(RULES)}) as known, RawOrigin({"/robots.txt": reply(RULES)}) as new:
        await allowed(await make_robots(), known.url("/"))
        robots = await make_robots()
        await robots.recall([parse(origin.url("/")).origin for origin in (known, new)])
        # What is written from now on, nobody looks at.
        open_to_all = {"rules": [], "crawl_delay": None, "agent": "thresher"}
        await pool.execute("UPDATE robots SET rules = $1", open_to_all)
        async with pool.acquire() as connection:
            await hosts.remember_robots(connection, parse(new.url("/")).origin, open_to_all, 60)
        assert not await allowed(robots, known.url("/private"))
        assert not await allowed(robots, new.url("/private"))
        assert (asked(known), asked(new)) == (1, 1)


# -- askers that go away


async def test_a_cancelled_first_asker_takes_the_answer_from_nobody(robots: Robots):
    held = Held(reply(RULES))
    async with RawOrigin({"/robots.txt": held}) as origin:
        first, second = (asyncio.create_task(allowed(robots, origin.url("/private"))) for _ in range(2))
        await held.arrived.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        held.release.set()
        assert not await second
        assert asked(origin) == 1


async def test_an_answer_that_nobody_waits_for_any_more_is_still_kept(robots: Robots):
    held = Held(reply(RULES))
    async with RawOrigin({"/robots.txt": held}) as origin:
        only = asyncio.create_task(allowed(robots, origin.url("/private")))
        await held.arrived.wait()
        only.cancel()
        await asyncio.wait({only})
        held.release.set()
        assert not await allowed(robots, origin.url("/private"))
        assert asked(origin) == 1


async def test_an_error_of_ours_reaches_every_asker(robots: Robots, pool: Pool):
    await pool.execute("DROP TABLE robots")
    results = await asyncio.gather(*(robots.ask(parse("http://a.example/")) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in results] == [asyncpg.UndefinedTableError] * 3


async def test_an_error_that_nobody_waits_for_any_more_is_not_left_unretrieved(robots: Robots, pool: Pool):
    await pool.execute("DROP TABLE robots")
    before = asyncio.all_tasks()
    asker = asyncio.create_task(robots.ask(parse("http://a.example/")))
    await asyncio.sleep(0)  # one step: it waits for the answer now
    asker.cancel()
    await asyncio.wait(asyncio.all_tasks() - before)
    assert asker.cancelled()  # the fixture sees the rest


# -- statuses


@pytest.mark.parametrize("status", [204, 300, 304, 400, 401, 403, 404, 410, 451])
async def test_where_there_is_none_to_have_everything_is_allowed(robots: Robots, status: int):
    async with RawOrigin({"/robots.txt": reply(b"", status)}) as origin:
        assert await allowed(robots, origin.url("/any"))


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_the_body_of_an_error_holds_no_rules(robots: Robots, status: int):
    async with RawOrigin({"/robots.txt": reply(b"User-agent: *\nDisallow: /", status)}) as origin:
        assert await allowed(robots, origin.url("/any"))


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (500, {}, FailureCode.HTTP_5XX),
        (502, {}, FailureCode.HTTP_5XX),
        (503, {}, FailureCode.HTTP_5XX),
        (503, {"Retry-After": "9"}, FailureCode.RATE_LIMITED),
        (429, {}, FailureCode.RATE_LIMITED),
        (430, {}, FailureCode.RATE_LIMITED),
    ],
)
async def test_where_it_cannot_be_had_everything_is_forbidden_for_now(
    robots: Robots, status: int, headers: dict[str, str], code: FailureCode
):
    async with RawOrigin({"/robots.txt": reply(b"User-agent: *\nAllow: /", status, headers)}) as origin:
        failure = await refused(robots, origin.url("/any"))
        assert (failure.code, failure.kind.retryable) == (code, True)
        assert failure.detail.startswith("robots.txt: ")


# -- the network


async def test_a_dead_host_is_not_asked_again_for_each_of_its_items(make_fetcher: MakeFetcher, pool: Pool):
    now = [0.0]
    fetcher, settings = await make_fetcher()
    robots = Robots(fetcher, pool, settings, clock=lambda: now[0])
    async with RawOrigin({"/robots.txt": _closes}) as origin:
        for number in range(100):
            failure = await refused(robots, origin.url(f"/{number}"))
            assert failure.code is FailureCode.MALFORMED_RESPONSE
        assert origin.connections == 1
        now[0] = 6.0
        origin.responders["/robots.txt"] = reply(RULES)
        assert await allowed(robots, origin.url("/open"))
    assert await pool.fetchval("SELECT count(*) FROM robots") == 1


async def test_a_failure_is_not_told_to_the_cluster(make_robots: MakeRobots, pool: Pool):
    async with RawOrigin({"/robots.txt": reply(b"", 500)}) as origin:
        await refused(await make_robots(), origin.url("/"))
        assert await pool.fetchval("SELECT count(*) FROM robots") == 0
        origin.responders["/robots.txt"] = reply(RULES)
        assert await allowed(await make_robots(), origin.url("/"))


async def test_a_host_that_refuses_connections_says_so(robots: Robots):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        failure = await refused(robots, f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert failure.code is FailureCode.CONNECT_REFUSED
    assert failure.detail == "The server refused the connection."  # whatever was asked for


async def test_a_private_address_is_refused_here_too(make_robots: MakeRobots):
    robots = await make_robots(fetch_allow="")
    async with RawOrigin({"/robots.txt": reply(RULES)}) as origin:
        assert (await refused(robots, origin.url("/"))).code is FailureCode.BLOCKED_ADDRESS
        assert origin.connections == 0


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\nUser-agent: *\n"])
async def test_a_slow_answer_is_a_timeout(robots: Robots, head: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_TIMEOUT", 0.3)
    async with RawOrigin({"/robots.txt": drips(head, b"#" if head else b"", 0.01)}) as origin:
        assert (await refused(robots, origin.url("/"))).code is FailureCode.TIMEOUT


@pytest.mark.parametrize("coding", [None, "gzip", "deflate", "br", "zstd"])
async def test_an_endless_file_is_read_as_far_as_it_counts(make_robots: MakeRobots, coding: str | None):
    robots = await make_robots(max_body_bytes=2**10)  # what a page may have says nothing about robots.txt
    begin, more = _endless(coding)
    head = b"HTTP/1.1 200 OK\r\n" + (f"Content-Encoding: {coding}\r\n".encode() if coding else b"") + b"\r\n"
    async with RawOrigin({"/robots.txt": drips(head + begin, more, 0)}) as origin:
        assert not await allowed(robots, origin.url("/private"))
        assert await allowed(robots, origin.url("/open"))


def _endless(coding: str | None) -> tuple[bytes, bytes]:
    """The first bytes of a file with rules in it, and what may follow them for ever."""
    noise = b"\n".join(b"#" + os.urandom(32).hex().encode() for _ in range(30_000)) + b"\n"
    text = RULES + noise  # 2 MB, and more than is read when it is packed, too
    match coding:
        case "gzip":
            packed = gzip.compress(text, 1)
        case "deflate":
            packed = zlib.compress(text, 1)
        case "br":
            packed = brotli.compress(text, quality=1)
        case "zstd":
            packed = zstandard.ZstdCompressor().compress(text)
        case _:
            packed = text
    return packed, packed[-65_536:]


async def test_an_answer_that_breaks_off_is_no_answer(robots: Robots):
    broken = sends(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nUser-agent: *\n", then_close=True)
    async with RawOrigin({"/robots.txt": broken}) as origin:
        assert (await refused(robots, origin.url("/"))).code is FailureCode.MALFORMED_RESPONSE


# -- redirects (RFC 9309 section 2.3.1.2)


def _chain(length: int) -> dict[str, Responder]:
    hops = ["/robots.txt", *(f"/{n}" for n in range(1, length + 1))]
    return {here: redirect(there) for here, there in pairwise(hops)} | {hops[-1]: reply(RULES)}


@pytest.mark.parametrize("max_redirects", [5, 10])
async def test_five_redirects_are_followed(make_robots: MakeRobots, max_redirects: int):
    robots = await make_robots(max_redirects=max_redirects)
    async with RawOrigin(_chain(5)) as origin:
        assert not await allowed(robots, origin.url("/private"))


@pytest.mark.parametrize(("length", "max_redirects"), [(6, 5), (6, 10), (30, 10)])
async def test_beyond_five_redirects_there_is_none(make_robots: MakeRobots, length: int, max_redirects: int):
    robots = await make_robots(max_redirects=max_redirects)
    async with RawOrigin(_chain(length)) as origin:
        assert await allowed(robots, origin.url("/private"))


async def test_where_fewer_redirects_are_followed_none_is_taken_for_granted(make_robots: MakeRobots):
    robots = await make_robots(max_redirects=2)
    async with RawOrigin(_chain(3)) as origin:
        assert (await refused(robots, origin.url("/open"))).code is FailureCode.TOO_MANY_REDIRECTS


async def test_the_rules_behind_a_redirect_elsewhere_are_those_of_the_first_origin(robots: Robots):
    theirs = reply(b"User-agent: *\nDisallow: /theirs")
    async with RawOrigin({"/robots.txt": theirs}) as other, RawOrigin({}) as origin:
        origin.responders["/robots.txt"] = redirect(other.url("/robots.txt"))
        assert not await allowed(robots, origin.url("/theirs"))
        assert await allowed(robots, origin.url("/private"))


async def test_a_redirect_to_nowhere_is_no_robots_txt(robots: Robots):
    async with RawOrigin({"/robots.txt": redirect("javascript:alert(1)")}) as origin:
        assert await allowed(robots, origin.url("/private"))


# -- bodies


@pytest.mark.parametrize("end", [b"", b"\0" * 100])
async def test_a_compressed_file_is_read(robots: Robots, end: bytes):
    body = gzip.compress(RULES) + end
    async with RawOrigin({"/robots.txt": reply(body, headers={"Content-Encoding": "gzip"})}) as origin:
        assert not await allowed(robots, origin.url("/private"))


@pytest.mark.parametrize("coding", [None, "gzip"])
async def test_of_ten_megabytes_the_first_part_counts_and_the_rest_is_no_error(robots: Robots, coding: str | None):
    body = RULES + b"# filler\n" * (10 * MIB // 9) + b"Disallow: /late\n"
    sent = reply(gzip.compress(body, 1), headers={"Content-Encoding": "gzip"}) if coding else reply(body)
    async with RawOrigin({"/robots.txt": sent}) as origin:
        assert not await allowed(robots, origin.url("/private"))
        assert await allowed(robots, origin.url("/late"))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
async def test_of_a_bomb_the_first_part_counts(robots: Robots, coding: str):
    text = RULES + b"#" * (20 * MIB)
    packed = {
        "gzip": lambda: gzip.compress(text),
        "deflate": lambda: zlib.compress(text)[2:],  # raw, as some servers send it
        "br": lambda: brotli.compress(text, quality=1),
        "zstd": lambda: zstandard.ZstdCompressor().compress(text),
    }[coding]()
    async with RawOrigin({"/robots.txt": reply(packed, headers={"Content-Encoding": coding})}) as origin:
        assert not await allowed(robots, origin.url("/private"))
        assert await allowed(robots, origin.url("/open"))


async def test_a_file_in_no_known_coding_is_not_taken_for_an_empty_one(robots: Robots):
    async with RawOrigin({"/robots.txt": reply(RULES, headers={"Content-Encoding": "gzip"})}) as origin:
        assert (await refused(robots, origin.url("/"))).code is FailureCode.BAD_ENCODING


async def test_a_page_in_its_place_holds_no_rules(robots: Robots):
    page = b"<!doctype html><title>Not found</title>\n<p>User-agent: *</p>\n<p>Disallow: /</p>\n"
    async with RawOrigin({"/robots.txt": reply(page, headers={"Content-Type": "text/html"})}) as origin:
        assert await allowed(robots, origin.url("/any"))


async def test_patterns_of_any_bytes_are_kept_by_the_database(make_robots: MakeRobots):
    text = b"User-agent: *\nDisallow: /\0\xff\xe9*$\nDisallow: /\xe3\x83\x84\n"
    async with RawOrigin({"/robots.txt": reply(text)}) as origin:
        for _ in range(2):
            robots = await make_robots()
            assert not await allowed(robots, origin.url("/ツ"))
            assert not await allowed(robots, origin.url("/%00%ff%e9x"))
        assert asked(origin) == 1
