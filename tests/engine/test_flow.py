"""Batches through real worker processes and a real origin, on counts, not on clocks."""

from collections import Counter
from pathlib import Path

import pytest
from tests.support.cluster import Cluster, new_items, submit, until, until_done
from tests.support.invariants import check_done
from tests.support.origin import Origin
from tests.support.receiver import Receiver

from thresher.domain.states import Outcome
from thresher.storage import batches
from thresher.storage import submit as submits
from thresher.storage.batches import Batch
from thresher.storage.database import Pool

BUGGY = (str(Path(__file__).parent / "buggy_worker.py"),)


async def failures(pool: Pool, batch: Batch) -> Counter[str | None]:
    async with pool.acquire() as connection:
        rows = await connection.fetch("SELECT failure FROM item WHERE batch_id = $1", batch.id)
    return Counter(row["failure"] for row in rows)


async def test_a_batch_of_pages_comes_out_complete_and_its_webhook_is_told_once(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    async with Receiver() as receiver:
        urls = [f"http://h{n % 7}.example/page/{n}" for n in range(200)]
        batch = await submit(pool, urls, webhook=receiver.url("/in"))
        await cluster.start(2, THRESHER_WEBHOOK_ALLOW="127.0.0.1")
        batch = await until_done(pool, batch)
        [told] = await receiver.wait_for("/in", 1)
        assert (told.event["data"]["id"], told.event["data"]["items_completed"]) == (batch.public_id, 200)
    assert (batch.outcome, batch.completed) == ("all_ok", 200)
    await check_done(pool, batch)
    assert Counter(path for _, path in origin.asked) == Counter(f"/page/{n}" for n in range(200))


async def test_an_open_batch_is_left_alone_until_its_start_and_then_runs_whole(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    urls = [f"http://h{n % 7}.example/page/{n}" for n in range(150)]
    batch = await submit(pool, urls[:50], stays_open=True)
    await cluster.start(2)
    await until_done(pool, await submit(pool, ["http://other.example/page/x"]))  # workers work
    async with pool.acquire() as connection:
        for start in (50, 100):
            items = new_items(urls[start : start + 50], start)
            await submits.append(connection, batch.id, items, limit=1000, offset=start)
        await until_done(pool, await submit(pool, ["http://other.example/page/y"]))
        assert Counter(path for _, path in origin.asked) == Counter(["/page/x", "/page/y"])
        await submits.start(connection, batch.id, 10)
    batch = await until_done(pool, batch)
    assert (batch.outcome, batch.completed) == ("all_ok", 150)
    await check_done(pool, batch)
    assert Counter(p for _, p in origin.asked if p[6:].isdigit()) == Counter(f"/page/{n}" for n in range(150))


async def test_an_open_batch_that_nobody_starts_is_ended_by_its_deadline_and_sends_nothing(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    await cluster.start(1)
    batch = await until_done(pool, await submit(pool, ["http://a.example/page/1"], lifetime=0.5, stays_open=True))
    assert (batch.outcome, batch.failed) == (Outcome.EXPIRED, 1)
    await until_done(pool, await submit(pool, ["http://a.example/page/2"]))
    assert [path for _, path in origin.asked] == ["/page/2"]


async def test_a_failure_that_passes_is_retried_and_every_attempt_is_kept(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    batch = await submit(pool, ["http://a.example/flaky/1/x", "http://a.example/page/y"])
    await cluster.start(1)
    batch = await until_done(pool, batch)
    assert batch.outcome == "all_ok"
    async with pool.acquire() as connection:
        attempts = await connection.fetchval("SELECT attempts FROM item WHERE batch_id = $1 AND ord = 0", batch.id)
    assert [attempt["code"] for attempt in attempts] == ["http_5xx", "ok"]
    assert attempts[0]["status"] == 503


async def test_a_hosts_limit_is_exact_with_four_workers(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    hosts = ["one.example", "two.example", "www.two.example"]
    batches = [
        await submit(pool, [f"http://{hosts[n % 3]}/slow/0.01/{b}-{n}" for n in range(90)], shard_size=10)
        for b in range(3)
    ]
    await cluster.start(4, THRESHER_CONNECTIONS_PER_HOST="3", THRESHER_SLICE_SECONDS="0.05")
    for batch in batches:
        await check_done(pool, await until_done(pool, batch))
    assert {host: origin.most[host] for host in hosts} == dict.fromkeys(hosts, 3)
    assert len(origin.asked) == 270


async def test_a_paused_host_delays_nobody(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    # Hosts of one site share a bucket: the pause must not hold its slot.
    busy = [f"http://busy.site.example/busy/3000/{n}" for n in range(30)]
    free = [f"http://free.site.example/page/{n}" for n in range(30)]
    batch = await submit(
        pool, [url for pair in zip(busy, free, strict=True) for url in pair], lifetime=7200, shard_size=10
    )
    later = await submit(
        pool, ["http://free.site.example/page/later", "http://busy.site.example/busy/1/later"], lifetime=7200
    )
    await cluster.start(1, THRESHER_ITEM_TIMEOUT="7200", THRESHER_CONNECTIONS_PER_HOST="2")
    batch = await until(pool, batch, lambda now: now.completed == 30 and not now.processing)
    later = await until(pool, later, lambda now: now.completed == 1)
    asked = Counter(host for host, _ in origin.asked)
    assert asked["free.site.example"] == 31
    assert asked["busy.site.example"] <= 2  # its connections, and then silence: for later batches too
    assert (batch.state, batch.processing, batch.pending) == ("running", 0, 30)
    assert (later.state, later.pending) == ("running", 1)


async def test_a_small_batch_behind_a_big_one_is_served_next(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    big = await submit(pool, [f"http://site{n}.example/hold/{n}" for n in range(200)], shard_size=1)
    await cluster.start(1, THRESHER_SHARDS_PER_WORKER="2")
    await origin.wait_for(2)  # both slots hold a shard of the big batch
    small = await submit(pool, ["http://small.example/page/small"])
    origin.release.set()
    await until_done(pool, small)
    before = [path for _, path in origin.asked].index("/page/small")
    assert before <= 4  # what was claimed when it came, and what shared its turn; 196 of the big batch came later
    assert (await until_done(pool, big)).outcome == "all_ok"


async def test_a_slice_hands_the_rest_back_and_nothing_is_fetched_twice(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    batch = await submit(pool, [f"http://slow.example/slow/0.02/{n}" for n in range(60)])
    await cluster.start(2, THRESHER_SLICE_SECONDS="0.1", THRESHER_CONNECTIONS_PER_HOST="2")
    batch = await until_done(pool, batch)
    await check_done(pool, batch)
    assert Counter(path for _, path in origin.asked).most_common(1)[0][1] == 1


async def test_an_expired_batch_ends_with_what_it_has(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    urls = ["http://a.example/page/1", "http://a.example/page/2", *(f"http://b.example/hold/{n}" for n in range(20))]
    batch = await submit(pool, urls)
    await cluster.start(1)
    await until(pool, batch, lambda now: now.completed == 2)
    await pool.execute("UPDATE batch SET deadline_at = now() WHERE id = $1", batch.id)
    batch = await until_done(pool, batch)
    asked = len(origin.asked)
    assert (batch.outcome, batch.completed, batch.failed) == ("expired", 2, 20)
    batch = await until(pool, batch, lambda now: now.numbered == now.total)
    await check_done(pool, batch)
    assert len(origin.asked) == asked  # nothing is sent after it reads done
    assert (await failures(pool, batch))["deadline"] == 20


async def test_a_worker_ends_a_batch_at_its_deadline_by_itself(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    await cluster.start(1, THRESHER_RECONCILE_SECONDS="3600")
    await until_done(pool, await submit(pool, ["http://a.example/page/warm"]))
    urls = ["http://a.example/page/1", *(f"http://b.example/hold/{n}" for n in range(20))]
    batch = await until_done(pool, await submit(pool, urls, lifetime=4))
    assert (batch.outcome, batch.completed, batch.failed) == ("expired", 1, 20)
    assert origin.now["b.example"] == 0


async def test_a_bug_never_leaves_a_batch_at_n_minus_one(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    urls = [f"http://one.example/page/{n}" for n in range(30)]
    urls[11], urls[23] = "http://one.example/page/bug", "http://one.example/page/slip"
    batch = await submit(pool, urls, shard_size=10)
    await cluster.start(1, BUGGY, THRESHER_RETRIES="1")
    batch = await until_done(pool, batch)
    await check_done(pool, batch)
    assert await failures(pool, batch) == {None: 29, "internal": 1}


_STOP_IN_SILENCE = (
    "UPDATE batch_progress SET state = 'stopping', outcome = 'cancelled', stopped_at = now() WHERE batch_id = $1"
)


@pytest.mark.parametrize("told", [True, False], ids=["told", "notification-lost"])
async def test_a_cancelled_batch_breaks_off_what_is_under_way(
    cluster: Cluster, origin: Origin, pool: Pool, told: bool
) -> None:
    urls = ["http://a.example/page/1", *(f"http://site{n}.example/hold/{n}" for n in range(40))]
    batch = await submit(pool, urls)
    await cluster.start(1, THRESHER_RECONCILE_SECONDS="3600", THRESHER_HEARTBEAT="4")
    await until(pool, batch, lambda now: now.completed == 1)
    await origin.wait_for(10)
    if told:
        async with pool.acquire() as connection:
            assert await batches.stop(connection, batch.id, Outcome.CANCELLED)
    else:
        await pool.execute(_STOP_IN_SILENCE, batch.id)
    batch = await until_done(pool, batch)
    asked = len(origin.asked)
    assert (batch.outcome, batch.completed, batch.cancelled) == ("cancelled", 1, 40)
    assert sum(origin.now.values()) == 0
    free = await until_done(pool, await submit(pool, ["http://a.example/page/after"]))  # the worker goes on with others
    assert free.outcome == "all_ok"
    assert len(origin.asked) == asked + 1
