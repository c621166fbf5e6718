"""What a site sees of a cluster: never more at once, never sooner, and nothing while it asked to be left alone."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.support.cluster import Cluster, submit, until, until_done
from tests.support.invariants import check_done
from tests.support.origin import Origin

from thresher.domain import url
from thresher.domain.states import Outcome
from thresher.storage import batches, hosts
from thresher.storage.batches import Batch
from thresher.storage.database import Pool
from thresher.storage.hosts import Note


async def attempts(pool: Pool, batch: Batch) -> list[list[dict[str, Any]]]:
    """The records of all items, in their order."""
    rows = await pool.fetch("SELECT attempts FROM item WHERE batch_id = $1 ORDER BY ord", batch.id)
    return [row["attempts"] or [] for row in rows]


def codes(records: list[dict[str, Any]]) -> list[str]:
    return [record["code"] for record in records]


# -- redirects to another host


async def test_a_hundred_sites_that_redirect_to_one_never_exceed_its_limit(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    urls = [f"http://site{n}.example/to/one.example/slow/0.01/{n}" for n in range(100)]
    batch = await submit(pool, urls)
    await cluster.start(2, THRESHER_CONNECTIONS_PER_HOST="2")
    batch = await until_done(pool, batch)
    assert batch.outcome == "all_ok"
    await check_done(pool, batch)
    assert origin.most["one.example"] == 2
    assert Counter(host for host, _ in origin.asked)["one.example"] == 100
    for records, ref in zip(await attempts(pool, batch), urls, strict=True):
        assert codes(records) == ["moved", "ok"]
        assert records[0]["redirects"] == [ref]
        assert records[0]["to"] == records[1]["final_url"]


async def test_a_move_uses_up_no_retry_and_what_fails_elsewhere_is_retried_there(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    batch = await submit(
        pool, ["http://a.example/to/www.a.example/flaky/1/x", "http://b.example/to/c.example/flaky/1/y"]
    )
    await cluster.start(1, THRESHER_RETRIES="1")
    batch = await until_done(pool, batch)
    assert batch.outcome == "all_ok"
    assert [codes(records) for records in await attempts(pool, batch)] == [["moved", "http_5xx", "ok"]] * 2
    assert Counter(host for host, _ in origin.asked) == {
        "a.example": 1,
        "www.a.example": 2,
        "b.example": 1,
        "c.example": 2,
    }


async def test_a_circle_over_two_sites_ends_as_too_many_redirects(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    batch = await submit(pool, ["http://a.example/circle/a.example/b.example"])
    await cluster.start(1, THRESHER_MAX_REDIRECTS="4", THRESHER_RETRIES="0")
    batch = await until_done(pool, batch)
    [records] = await attempts(pool, batch)
    assert codes(records) == ["moved"] * 4 + ["too_many_redirects"]
    assert len(origin.asked) == 5


async def test_the_rules_and_the_pause_of_a_redirects_target_are_the_targets(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    origin.robots["strict.example"] = "User-agent: *\nDisallow: /page/"
    urls = [
        "http://a.example/to/strict.example/page/x",
        "http://a.example/to/busy.example/busy/3000/x",
        *(f"http://a.example/page/{n}" for n in range(8)),
    ]
    batch = await submit(pool, urls, lifetime=7200)
    await cluster.start(1, THRESHER_ITEM_TIMEOUT="7200")
    await until(pool, batch, lambda now: now.finished == 9 and now.processing == 0)
    rows = await pool.fetch("SELECT host FROM host WHERE paused_until > now()")
    assert [row["host"] for row in rows] == ["busy.example"]
    assert codes((await attempts(pool, batch))[0]) == ["moved", "robots_disallowed"]


# -- how far apart


@pytest.mark.parametrize(
    ("robots", "settings", "apart"),
    [
        ("User-agent: *\nCrawl-delay: 0.3\n", {}, 0.3),
        ("", {"THRESHER_REQUESTS_PER_SECOND_PER_HOST": "4"}, 0.25),
        ("User-agent: *\nCrawl-delay: 3600\n", {"THRESHER_MAX_CRAWL_DELAY": "1.2"}, 1.2),
    ],
    ids=["crawl-delay", "rate", "a-delay-beyond-the-cap"],
)
async def test_requests_are_as_far_apart_as_asked_whoever_makes_them(
    cluster: Cluster, origin: Origin, pool: Pool, robots: str, settings: dict[str, str], apart: float
) -> None:
    origin.robots["slow.site.example"] = robots
    slow = [f"http://slow.site.example/page/{n}" for n in range(4)]
    # The redirect stays at its host, and is a request as any other.
    batch = await submit(pool, [*slow, "http://slow.site.example/redirect/1/x"], shard_size=2)
    free = await submit(pool, [f"http://free.site.example/hold/{n}" for n in range(3)])
    await cluster.start(2, **settings)
    if not robots or apart > 1:  # else both hosts go on in one slice
        origin.release.set()
    await origin.wait_for(2)
    origin.release.set()
    assert (await until_done(pool, batch)).outcome == "all_ok"
    assert (await until_done(pool, free)).outcome == "all_ok"
    times = origin.times["slow.site.example"]
    assert len(times) == 6
    assert times[-1] - times[0] >= 5 * apart - apart / 2, "half of one, for what the way to the origin may take"


async def test_what_is_sent_to_a_slow_host_waits_for_its_turn_however_long_that_takes(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    origin.robots["slow.example"] = "User-agent: *\nCrawl-delay: 1.2\n"
    batch = await submit(pool, [f"http://start.example/to/slow.example/page/{n}" for n in range(4)])
    await cluster.start(1, THRESHER_ITEM_TIMEOUT="3")  # over before it is the last one's turn
    assert (await until_done(pool, batch)).outcome == "all_ok"


# -- pauses


async def test_a_host_that_was_paused_is_given_one_connection_then_two_then_all(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    async with pool.acquire() as connection:
        await hosts.note(connection, url.bucket("a.example"), [Note("a.example", 0, 0, 1, 2)])
    batch = await submit(pool, [f"http://a.example/slow/0.1/{n}" for n in range(12)])
    await cluster.start(1)
    assert (await until_done(pool, batch)).outcome == "all_ok"
    crowd = origin.crowd["a.example"]
    assert crowd[0] == 1
    assert max(crowd[:3]) == 2
    assert max(crowd) == 4
    async with asyncio.timeout(20):  # the shard ends a moment after its last item
        while await pool.fetchval("SELECT count(*) FROM host WHERE strikes > 0 OR connections IS NOT NULL"):
            await asyncio.sleep(0.02)


async def test_a_robots_txt_that_asks_for_a_pause_is_heard(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    origin.robots_busy["busy.example"] = "3000"
    batch = await submit(pool, [f"http://busy.example/page/{n}" for n in range(250)], lifetime=7200)
    await cluster.start(1, THRESHER_ITEM_TIMEOUT="7200")
    await until_done(pool, await submit(pool, ["http://a.example/page/x"]))
    async with pool.acquire() as connection:
        batch = await until(pool, batch, lambda now: now.processing == 0)
        known = await hosts.known(connection, url.bucket("busy.example"))
    assert 2900 < known["busy.example"].wait <= 3000
    assert (batch.pending, [host for host, _ in origin.asked]) == (250, ["a.example"])


# -- the choices of a batch


async def test_robots_txt_may_be_obeyed_reported_or_ignored(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    origin.robots["strict.example"] = "User-agent: *\nDisallow: /page/"
    origin.robots_busy["busy.example"] = "1"
    urls = [f"http://{host}.example/page/x" for host in ("strict", "free")]
    obeyed = await submit(pool, urls)
    reported = await submit(pool, [*urls, "http://busy.example/page/x"], options={"robots": "report"})
    ignored = await submit(pool, urls, options={"robots": "ignore"})
    await cluster.start(1)
    found = {}
    for batch in (obeyed, reported, ignored):
        batch = await until_done(pool, batch)
        found[batch.id] = [(r[-1]["code"], r[-1].get("robots")) for r in await attempts(pool, batch)]
    assert found[obeyed.id] == [("robots_disallowed", None), ("ok", None)]
    assert found[reported.id] == [("ok", "disallowed"), ("ok", "allowed"), ("ok", "unavailable")]
    assert found[ignored.id] == [("ok", None), ("ok", None)]


# -- what is recorded


async def test_what_a_cancel_broke_off_stays_on_the_items(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    batch = await submit(pool, ["http://a.example/hold/1", "http://b.example/to/c.example/busy/3000/x"], lifetime=7200)
    await cluster.start(1, THRESHER_ITEM_TIMEOUT="7200")
    await origin.wait_for(3)
    await until(pool, batch, lambda now: now.processing == 1)
    async with pool.acquire() as connection:
        assert await batches.stop(connection, batch.id, Outcome.CANCELLED)
    await until_done(pool, batch)
    held, moved = await attempts(pool, batch)
    assert codes(held) == ["cancelled"]
    assert codes(moved) == ["moved", "rate_limited"]
