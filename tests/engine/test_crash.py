"""Processes are killed with -9 in the middle of a batch; every item is settled exactly once all the same."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
from tests.support.cluster import Cluster, submit, until, until_done
from tests.support.invariants import check_done
from tests.support.origin import Origin

from thresher.storage.database import Pool

# Dead workers are noticed soon; on a busy machine a living one may be mistaken for dead, which must do no harm either.
SOON = {"THRESHER_HEARTBEAT": "2"}
IMPATIENT = (str(Path(__file__).parent / "impatient_worker.py"),)
POISON = (str(Path(__file__).parent / "poisonable_worker.py"),)


async def test_a_worker_killed_in_the_middle_is_replaced_by_another(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    batch = await submit(pool, [f"http://h{n % 5}.example/slow/0.02/{n}" for n in range(300)], shard_size=20)
    await cluster.start(2, **SOON)
    await until(pool, batch, lambda now: now.completed > 30)
    cluster.processes[0].send_signal(signal.SIGKILL)
    batch = await until_done(pool, batch)
    assert batch.outcome == "all_ok"
    await check_done(pool, batch)


async def test_a_converter_killed_in_the_middle_costs_nothing(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    batch = await submit(pool, [f"http://h{n % 5}.example/slow/0.02/{n}" for n in range(300)])
    await cluster.start(1)
    done = 0
    for _ in range(3):
        done = (await until(pool, batch, lambda now, least=done: now.completed > least)).completed  # type: ignore[misc]
        for child in psutil.Process(cluster.processes[0].pid).children():
            child.kill()
        done += 85  # more than were finished and not written: the page that it died of is over, and is not hit again
    batch = await until_done(pool, batch)
    assert batch.outcome == "all_ok"
    await check_done(pool, batch)


async def test_a_frozen_worker_begins_nothing_after_it_wakes(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    batch = await submit(pool, [f"http://one.example/slow/0.05/{n}" for n in range(150)])
    await cluster.start(1, THRESHER_CONNECTIONS_PER_HOST="2", **SOON)
    await origin.wait_for(4)
    frozen = cluster.processes[0]
    frozen.send_signal(signal.SIGSTOP)
    before = (await until(pool, batch, lambda now: True)).completed
    await cluster.start(1, THRESHER_CONNECTIONS_PER_HOST="2", **SOON)
    await until(pool, batch, lambda now: now.completed > before + 20)  # its shard was taken over
    frozen.send_signal(signal.SIGCONT)
    batch = await until_done(pool, batch)
    await check_done(pool, batch)
    assert batch.outcome == "all_ok"
    assert origin.most["one.example"] == 2


async def test_a_worker_whose_queue_connection_falls_silent_leaves(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    await cluster.start(1, IMPATIENT, **SOON)
    await until_done(pool, await submit(pool, ["http://one.example/page/warm"]))
    silent = await pool.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'thresher queue' AND datname = current_database()"
    )
    os.kill(silent, signal.SIGSTOP)  # as if its machine had lost its power: nothing comes, and nobody hangs up
    try:
        assert await asyncio.wait_for(cluster.processes[0].wait(), 30) == 1
    finally:
        os.kill(silent, signal.SIGCONT)


async def test_a_worker_told_to_stop_gives_its_work_back(cluster: Cluster, origin: Origin, pool: Pool) -> None:
    batch = await submit(pool, [f"http://h{n % 3}.example/slow/0.05/{n}" for n in range(120)])
    await cluster.start(1)
    await until(pool, batch, lambda now: now.completed > 5)
    cluster.processes[0].send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(cluster.processes[0].wait(), 15) == 0
    now = await until(pool, batch, lambda now: True)
    assert (now.state, now.processing) == ("running", 0)  # nothing is held; nobody has to wait for a lease to run out
    asked = len(origin.asked)
    assert asked == now.completed  # and what was begun was finished
    await cluster.start(1)
    batch = await until_done(pool, batch)
    await check_done(pool, batch)
    assert len(origin.asked) == 120


async def test_an_item_that_kills_its_workers_is_found_and_fails_by_name_and_no_other_with_it(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    urls = [f"http://one.example/page/{n}" for n in range(11)]
    urls[7] = "http://one.example/page/poison"
    urls += [f"http://patient{n}.example/slow/3/innocent" for n in range(3)]  # in hand at most of the deaths
    batch = await submit(pool, urls)
    keeper = asyncio.create_task(keep_alive(cluster))
    try:
        batch = await until_done(pool, batch, 90)
    finally:
        keeper.cancel()
    await check_done(pool, batch)
    async with pool.acquire() as connection:
        failed = await connection.fetch("SELECT ref, failure FROM item WHERE batch_id = $1 AND state = 2", batch.id)
    assert [(row["ref"], row["failure"]) for row in failed] == [(urls[7], "worker_lost")]
    assert batch.completed == 13


async def keep_alive(cluster: Cluster) -> None:
    """What the supervisor does: start a worker again when it died."""
    while True:
        await cluster.start(1, POISON, THRESHER_MAX_STARTS="2", THRESHER_CONNECTIONS_PER_HOST="1", **SOON)
        await cluster.processes[-1].wait()
