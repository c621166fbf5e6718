"""Pages that are used again: one request for equal URLs, stored pages of other batches, and batches made of stored pages."""

from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.cluster import Cluster, submit, until_done
from tests.support.invariants import check_done
from tests.support.origin import Origin

from thresher.storage import applying
from thresher.storage.applying import Anew
from thresher.storage.batches import Batch
from thresher.storage.database import Pool

ONCE_MORE = {"THRESHER_RETRIES": "1"}


async def items(pool: Pool, batch: Batch) -> list[dict[str, Any]]:
    rows = await pool.fetch("SELECT * FROM item WHERE batch_id = $1 ORDER BY ord", batch.id)
    return [dict(row) for row in rows]


async def test_equal_urls_are_one_request_for_each_attempt_and_each_item_ends_as_it_did(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    await cluster.start(1, **ONCE_MORE)
    spelled = ["http://a.example/page/x", "http://A.example:80/page/x", "http://a.example/./page/x"]
    urls = [*spelled, *["http://b.example/status/503/y"] * 5, *["http://a.example/to/e.example/flaky/1/z"] * 4]
    batch = await until_done(pool, await submit(pool, [*urls, "http://a.example/page/x"]))
    await check_done(pool, batch)
    assert Counter(path for _, path in origin.asked) == {
        "/page/x": 1,
        "/status/503/y": 2,
        "/to/e.example/flaky/1/z": 1,
        "/flaky/1/z": 2,
    }
    assert (batch.completed, batch.billed, batch.failed) == (8, 8, 5)
    found = await items(pool, batch)
    records = [[(one["code"], one.get("shared")) for one in item["attempts"]] for item in found]
    assert records == [
        *[[("ok", 4)]] * 3,
        *[[("http_5xx", 5)] * 2] * 5,
        *[[("moved", 4), ("http_5xx", 4), ("ok", 4)]] * 4,
        [("ok", 4)],
    ]
    assert len({(item["pack_id"], item["off"]) for item in found if item["state"] == 1}) == 2, (
        "each page is stored once"
    )


async def test_equal_urls_are_read_once_in_each_way_also_when_their_worker_dies(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    batch = await submit(pool, ["http://d.example/hold/h"] * 10)
    await pool.execute("""UPDATE item SET options = '{"parser": "@thresher/links"}' WHERE ord < 3""")
    await pool.execute("""UPDATE item SET headers = '{"X-Own": "1"}' WHERE ord = 9""")
    await cluster.start(1)
    await origin.wait_for(2)  # one with headers of its own, and one for all others
    cluster.processes[0].kill()
    assert len(origin.asked) == 2
    origin.release.set()
    await cluster.start(1, THRESHER_HEARTBEAT="2")
    await check_done(pool, await until_done(pool, batch))
    places: dict[Any, list[int]] = {}
    for item in await items(pool, batch):
        places.setdefault((item["pack_id"], item["off"]), []).append(item["ord"])
    assert sorted(places.values()) == [[0, 1, 2], [3, 4, 5, 6, 7, 8], [9]], "read once in each way, and stored once"


async def test_a_stored_page_is_taken_while_it_is_young_and_asked_after_when_it_is_not(
    cluster: Cluster, origin: Origin, pool: Pool, tmp_path: Path
) -> None:
    async def run(*urls: str, shard_size: int = 100, **options: Any) -> list[dict[str, Any]]:
        """The last record of each item, all of which have a result."""
        batch = await until_done(pool, await submit(pool, urls, options=options, shard_size=shard_size))
        assert batch.outcome == "all_ok"
        return [item["attempts"][-1] for item in await items(pool, batch)]

    page, tagged = "http://a.example/page/x", "http://a.example/to/b.example/tagged/y"
    await cluster.start(1)
    records = await run(*[page] * 5, tagged, shard_size=2)
    assert [one["reused"]["item"] for one in records[2:5]] == [0, 0, 0], "a later shard finds what an earlier one got"
    asked = Counter(path for _, path in origin.asked)
    assert asked == {"/page/x": 1, "/to/b.example/tagged/y": 1, "/tagged/y": 1}

    young = await run(page, tagged, max_age=600)
    assert Counter(path for _, path in origin.asked) == asked, "nobody was asked"
    assert young[0]["fetched_at"] == records[0]["at"] == records[4]["fetched_at"]
    assert young[1]["final_url"] == "http://b.example/tagged/y"
    assert not {"status", "family", "robots"} & {*young[0], *young[1]}

    [again] = await run(tagged, max_age=0)
    assert (again["status"], again["bytes"], again["fetched_at"]) == (304, 0, again["at"])
    assert again["at"] > young[1]["fetched_at"], "it is as good as new"
    origin.version = 2
    await run(page)
    [changed, plain] = await run(tagged, page, max_age=0)
    assert origin.conditional == [("/tagged/y", '"1-y"')] * 2
    assert (changed["status"], "reused" in changed, plain["status"], "reused" in plain) == (200, False, 200, False)
    frames = await pool.fetch("SELECT http, state FROM item WHERE ref = $1", tagged)
    assert {(row["http"], row["state"]) for row in frames} == {(200, 1)}

    for pack in (tmp_path / "blobs").rglob("packs/*/*"):
        pack.unlink()
    before = len(origin.asked)
    [gone] = await run(page, max_age=600)
    assert "reused" not in gone
    assert len(origin.asked) == before + 1, "what is gone from the store is fetched"
    stranger = await pool.fetchval("INSERT INTO account (name) VALUES ('stranger') RETURNING id")
    await until_done(pool, await submit(pool, [page], options={"max_age": 600}, account=stranger))
    assert len(origin.asked) == before + 2, "a stored page is its account's alone"


async def test_a_parser_that_was_broken_is_applied_anew_to_what_is_stored_without_a_request(
    cluster: Cluster, origin: Origin, pool: Pool, tmp_path: Path
) -> None:
    urls = [f"http://{host}.example/page/{n}" for n in range(20) for host in ("a", "b")]
    urls += [*["http://a.example/page/0"] * 3, "http://a.example/status/404/x"]
    origin.robots["a.example"] = "User-agent: *\nCrawl-delay: 0.01"
    await cluster.start(1)
    first = await until_done(pool, await submit(pool, urls, options={"parser": "@thresher/product"}))
    assert (first.completed, first.failed) == (0, 44)
    asked = len(origin.asked)
    origin.robots["a.example"] = "User-agent: *\nDisallow: /"
    await pool.execute("UPDATE host SET paused_until = now() + interval '1 hour', next_at = now() + interval '1 hour'")
    await pool.execute("DELETE FROM robots")

    async def applied(batch: Batch, *lost: str, **options: Any) -> Batch:
        async with pool.acquire() as connection, connection.transaction():
            made = await applying.apply(connection, batch, Anew(options, ["parser"], 1, {}, None, 600, 5))
            for statement in lost:
                await connection.execute(f"UPDATE item SET {statement} AND batch_id = $1", made.id)
            return made

    second, third = await applied(first, parser="@thresher/links"), await applied(first)
    # An item that is not there any more, and one that had no page.
    gone = await applied(first, "body_ord = 1000 WHERE ord = 0", "body_ord = 43 WHERE ord = 1")
    second, third, gone = [await until_done(pool, batch) for batch in (second, third, gone)]
    for batch in (second, third, gone):
        await check_done(pool, batch)
    assert [(batch.total, batch.completed) for batch in (second, third, gone)] == [(43, 43), (43, 43), (43, 41)]
    rows = await pool.fetch("SELECT failure, attempts FROM item WHERE batch_id = $1 ORDER BY ord LIMIT 3", gone.id)
    assert [row["failure"] for row in rows] == ["page_gone", "page_gone", None]
    assert rows[0]["attempts"][-1]["code"] == "page_gone"

    for folder in (first.public_id, third.public_id):
        for pack in (tmp_path / "blobs" / "packs" / folder).iterdir():
            pack.unlink()
    [chained, lost] = [await until_done(pool, await applied(batch, content="main")) for batch in (second, third)]
    assert (chained.completed, lost.completed) == (43, 0)
    assert len(origin.asked) == asked, "nobody was asked for anything"
    was, now = await items(pool, first), await items(pool, chained)
    assert [(item["ref"], item["custom_id"]) for item in now] == [(i["ref"], i["custom_id"]) for i in was[:43]]
    last = [(item["attempts"][-1], was[n]["attempts"][-1]) for n, item in enumerate(now)]
    assert all(new["fetched_at"] == old["at"] for new, old in last)
    assert [new["reused"] for new, _ in last] == [{"batch": second.id, "item": n} for n in range(43)]
