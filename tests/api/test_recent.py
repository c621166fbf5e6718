"""The list of the latest batches."""

import pytest
from tests.api.conftest import Api

from thresher.storage.database import Pool


async def test_the_latest_batches_are_listed_newest_first_as_their_info_shows_them(api: Api) -> None:
    made = [(await api.create(f"https://a.example/{n}"))["id"] for n in range(3)]
    opened = (await api.client.post("/v1/batches", json={"open": True})).json()["id"]
    found = await api.get("/v1/batches/recent", source="sdk")
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


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5"])
async def test_a_limit_that_is_no_count_is_refused(api: Api, limit: str) -> None:
    answer = await api.client.get("/v1/batches/recent", params={"limit": limit})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


async def test_purged_batches_and_those_of_strangers_are_left_out(api: Api, pool: Pool, stranger: str) -> None:
    kept, gone = [(await api.create("https://a.example/"))["id"] for _ in range(2)]
    await api.client.post(f"/v1/batches/{gone}/cancel")
    await pool.execute("UPDATE batch_progress SET purged_at = now() WHERE state = 'done'")
    assert [batch["id"] for batch in (await api.get("/v1/batches/recent"))["data"]] == [kept]
    theirs = await api.client.get("/v1/batches/recent", headers={"Authorization": f"Bearer {stranger}"})
    assert (theirs.status_code, theirs.json()) == (200, {"object": "list", "data": []})
