"""The list of the latest batches."""

from tests.api.conftest import Api

from thresher.storage import batches
from thresher.storage.database import Pool


async def test_the_latest_batches_are_listed_newest_first_as_their_info_shows_them(api: Api) -> None:
    made = [(await api.create(f"https://a.example/{n}"))["id"] for n in range(3)]
    opened = (await api.client.post("/v1/batches", json={"open": True})).json()["id"]
    found = await api.get("/v1/batches/recent")
    assert found["object"] == "list"
    assert [batch["id"] for batch in found["data"]] == [opened, *reversed(made)]
    for batch in found["data"]:
        assert batch == await api.get(f"/v1/batches/{batch['id']}")


async def test_a_list_has_fifty_batches_unless_the_limit_says_otherwise_and_never_more_than_a_hundred(api: Api) -> None:
    for n in range(102):
        await api.client.post("/v1/batches", json={"open": True, "metadata": {"n": n}})
    for query, count in (({}, 50), ({"limit": 2}, 2), ({"limit": ""}, 50), ({"limit": 1000}, 100)):
        batches = (await api.get("/v1/batches/recent", **query))["data"]
        assert [batch["metadata"]["n"] for batch in batches] == [str(101 - n) for n in range(count)]


async def test_batches_are_listed_by_who_made_them_and_a_batch_says_who_it_was(api: Api) -> None:
    await api.create("https://a.example/")
    for source in ("nightly import", "x" * 40):
        made = await api.create("https://a.example/", source=source)
        assert made["source"] == source
        assert (await api.get("/v1/batches/recent", source=source))["data"] == [made]
    listed = [batch["source"] for batch in (await api.get("/v1/batches/recent", source=""))["data"]]
    assert listed == ["x" * 40, "nightly import", "api"]
    assert (await api.get("/v1/batches/recent", source="nobody"))["data"] == []
    for source in ("", "x" * 41, "a\nb", 5):
        answer = await api.client.post("/v1/batches", json={"urls": ["https://a.example/"], "source": source})
        assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (400, ["body", "source"])


async def test_a_limit_that_is_no_count_and_a_source_that_nobody_has_are_refused(api: Api) -> None:
    for name, value in (("limit", "0"), ("limit", "-1"), ("limit", "x"), ("limit", "1.5"), ("source", "x" * 41)):
        answer = await api.client.get("/v1/batches/recent", params={name: value})
        assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (400, ["query", name])
    assert (await api.client.get("/v1/batches/recent?source=%00")).status_code == 400


async def test_the_list_does_not_walk_over_batches_that_are_only_tombstones(api: Api, pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        for query in (None, "api"):
            plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {batches._RECENT}", 1, query, 50)
            assert '"batch_progress_listed"' in plan


async def test_purged_batches_are_left_out(api: Api, pool: Pool) -> None:
    kept, gone = [(await api.create("https://a.example/"))["id"] for _ in range(2)]
    await api.client.post(f"/v1/batches/{gone}/cancel")
    await pool.execute("UPDATE batch_progress SET purged_at = now() WHERE state = 'done'")
    assert [batch["id"] for batch in (await api.get("/v1/batches/recent"))["data"]] == [kept]
