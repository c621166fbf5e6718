"""Headers that callers send along with their items: where they go, and that nothing tells them again."""

import logging
from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.api.conftest import KEY, Api, routes_of, running, settings_for
from tests.api.test_strangers import CALLS, Names, ask
from tests.support.cluster import Cluster
from tests.support.origin import Origin

from thresher.cli import logs
from thresher.storage import accounts, purge
from thresher.storage.blobs import Blobs
from thresher.storage.database import Connection, Pool

SECRET = "s3cr3t"
BATCH = {"Authorization": f"Bearer {SECRET}-batch"}
OWN = {"X-Key": f"{SECRET}-own", "Cookie": f"{SECRET}=1", "Accept-Language": "fy"}
NAMES = ("Authorization", "X-Key", "Cookie", "Accept-Language")

ITEMS: list[dict[str, Any]] = [
    {"url": "http://a.example/page/batch"},
    {"url": "http://a.example/page/own", "headers": OWN},
    {"url": "http://a.example/page/none", "headers": {}},
    {"url": "http://a.example/redirect/1/stays", "headers": OWN},
    {"url": "http://a.example/to/b.example/to/a.example/page/back", "headers": OWN},
    {"url": "http://a.example/status/404/x", "headers": OWN},
    {"url": "http://a.example/slow/30/x", "headers": OWN, "timeout": 0.2},
]


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    await accounts.bootstrap(database_url, KEY)
    async with running(settings_for(database_url, tmp_path)) as started:
        yield started


async def test_headers_go_to_the_items_own_origin_and_are_told_by_nothing_and_nobody(
    api: Api, cluster: Cluster, origin: Origin, pool: Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"items": ITEMS, "headers": BATCH, "webhook": "https://hooks.example/"}
    key = {"Idempotency-Key": "once"}
    made, same = [(await api.client.post("/v1/batches", json=body, headers=key)).json() for _ in range(2)]
    with (tmp_path / "worker.log").open("wb") as log:
        await cluster.start(1, log=log, THRESHER_RETRIES="0", THRESHER_LOG_LEVEL="debug")
        assert (await api.get(f"/v1/batches/{made['id']}", wait=50))["counts"]["completed"] == 5
    assert made == same

    sent = {(host, path): tuple(map(headers.get, NAMES)) for host, path, headers in origin.headers}
    nothing, own = (None,) * 4, (None, *OWN.values())
    assert sent == {
        ("a.example", "/robots.txt"): nothing,
        ("b.example", "/robots.txt"): nothing,
        ("a.example", "/page/batch"): (BATCH["Authorization"], None, None, None),
        ("a.example", "/page/own"): own,
        ("a.example", "/page/none"): nothing,
        ("a.example", "/redirect/1/stays"): own,
        ("a.example", "/page/stays"): own,
        ("a.example", "/to/b.example/to/a.example/page/back"): own,
        ("b.example", "/to/a.example/page/back"): nothing,
        ("a.example", "/page/back"): nothing,
        ("a.example", "/status/404/x"): own,
        ("a.example", "/slow/30/x"): own,
    }
    items = (await api.get(f"/v1/batches/{made['id']}/items", formats="html,markdown"))["items"]
    assert {item["error"]["code"] for item in items if "error" in item} == {"http_4xx", "timeout"}

    told = "\n".join([str(made), str(items), *[text async for text in everything_that_can_be_asked(api, made, items)]])
    assert "a.example/page/own" in told
    stored = contents(tmp_path)
    assert any(b"a.example/page/own" in data for data in stored)
    assert not any(SECRET.encode() in data for data in stored)  # the worker's log is one of them
    assert (tmp_path / "worker.log").stat().st_size
    assert SECRET not in told + caplog.text + str(caplog.records)
    await the_database_has_them_until_the_purge_and_logs_no_row(api, pool)


async def the_database_has_them_until_the_purge_and_logs_no_row(api: Api, pool: Pool) -> None:
    again = [one["id"] for one in (await api.get("/v1/batches/recent"))["data"] if "retry_of" in one]
    assert again
    for batch in again:
        assert (await api.get(f"/v1/batches/{batch}", wait=50))["status"] == "completed"
    async with pool.acquire() as connection:
        assert await tables_with_secrets(connection) == {"thresher.batch", "thresher.item"}
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await connection.execute("UPDATE item SET price = -1 WHERE strpos(headers::text, $1) > 0", SECRET)
        assert SECRET in str(refused.value)
        record = logging.LogRecord("thresher", logging.ERROR, "", 0, "no: %s", (refused.value,), refused._excinfo)
        shown = logs.WithoutRows().format(record)
        assert ("The row is not shown." in shown, "item_price_check" in shown, SECRET in shown) == (True, True, False)
        nothing = timedelta(0)
        assert await purge.purge(connection, Blobs(api.settings.packs_url), nothing, nothing)
        assert await tables_with_secrets(connection) == set()


async def tables_with_secrets(connection: Connection) -> set[str]:
    tables = await connection.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname LIKE 'thresher%'"
    )
    query = "SELECT count(*) FROM {} t WHERE strpos(t::text, $1) > 0"
    return {name for (name,) in tables if await connection.fetchval(query.format(name), SECRET)}


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def everything_that_can_be_asked(api: Api, batch: dict[str, Any], items: list[dict[str, Any]]) -> Any:
    """What every route answers, about the batch and about each item of it, and at the end about what is left of it."""
    event = (await api.get(f"/v1/batches/{batch['id']}/deliveries"))["data"][0]["id"]
    for item in items:
        known = {"batch_id": batch["id"], "retrieve_id": item["id"], "event_id": event}
        names = Names(**{field.name: known.get(field.name, "none") for field in fields(Names)})
        for call in CALLS:
            if (item is items[0] and not call.startswith("DELETE")) or "retrieve" in call:
                yield (await ask(api, call, names, KEY)).text
    for path in ("?formats=html,markdown,text,json,links", "?lineage=merged"):
        yield (await api.client.get(f"/v1/batches/{batch['id']}/export{path}")).text
    plain = [route.path for route in routes_of(api.app) if "GET" in route.methods and "{" not in route.path]
    for path in (*plain, "/readyz", "/openapi.json"):
        yield (await api.client.get(path)).text
    yield (await api.client.delete(f"/v1/batches/{batch['id']}")).text
    yield (await api.client.get(f"/v1/batches/{batch['id']}")).text
