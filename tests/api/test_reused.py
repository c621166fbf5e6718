"""Stored pages that were used again, as they are shown, and `max_age` as it is taken."""

from datetime import UTC, datetime
from typing import Any

import orjson
from tests.api.conftest import Api
from tests.api.worker import Worker

from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool


async def test_an_item_whose_page_was_stored_says_so_everywhere_and_whose_it_is(api: Api, pool: Pool) -> None:
    for wrong in (-1, "1", True, [1]):
        body = {"items": [{"url": "https://a.example/"}], "max_age": wrong}
        refused = await api.client.post("/v1/batches", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (400, ["body", "max_age"])
    first = await api.create("https://a.example/")
    assert "max_age" not in first
    await Worker(pool, Blobs(api.settings.packs_url)).work()
    [source] = (await api.get(f"/v1/batches/{first['id']}/items"))["items"]
    assert not {"fetched_at", "reused"} & set(source)

    again = await api.create("https://a.example/", "https://a.example/", max_age=0)
    assert again["max_age"] == 0
    key = await pool.fetchval("SELECT id FROM batch WHERE public_id = $1", first["id"])
    now = datetime.now(UTC).isoformat()
    record: dict[str, Any] = {"at": now, "seconds": 0.1, "code": "ok", "ms": {"convert": 1.0}, "shared": 2}
    record |= {"reused": {"batch": key, "item": 0}, "fetched_at": "2026-11-01T00:00:00.000+00:00"}
    confirmed = record | {"status": 304, "ms": {"total": 1.0, "first_byte": 1.0, "convert": 1.0}, "fetched_at": now}
    await Worker(pool, Blobs(api.settings.packs_url), [confirmed, record]).work()
    page = (await api.get(f"/v1/batches/{again['id']}/items"))["items"]
    lines = (await api.client.get(f"/v1/batches/{again['id']}/export")).text.splitlines()
    assert len(page) == len(lines) == 2
    told = {"fetched_at": record["fetched_at"], "reused": source["retrieve_id"]}
    content = await api.get("/v1/retrieve", retrieve_id=page[0]["retrieve_id"])
    explained = await api.get(f"/v1/items/{page[0]['retrieve_id']}/explain")
    for shown in (*page, *map(orjson.loads, lines), content, content["attempts"][1]):
        assert {name: shown.get(name) for name in told} == told
    steps = [(step["what"], step["text"]) for step in explained["timeline"] if step["what"] in ("shared", "stored")]
    whose = f"the page that is stored for {source['retrieve_id']}"
    assert steps == [
        ("shared", "For 2 items together, which have the same URL."),
        ("stored", f"The site said that {whose} has not changed."),
        ("shared", "For 2 items together, which have the same URL."),
        ("stored", f"Took {whose}, as it was at {record['fetched_at']}; nobody was asked for it."),
    ]
