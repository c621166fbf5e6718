"""POST /v1/batches and GET /v1/batches/{id}."""

import asyncio
import datetime
import json
import re
import time
from typing import Any

import pytest
from tests.api.conftest import Api, running, settings_for
from tests.api.worker import Worker

from thresher.domain.failure import FailureCode
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool


async def test_a_new_batch_has_every_key_that_clients_require_and_no_other_identity(api: Api) -> None:
    batch = await api.create("https://example.com/a", "https://example.com/b", metadata={"n": 1, "yes": True})
    assert re.fullmatch(r"batch_[a-z0-9]{12}", batch["id"])
    assert batch.pop("id")
    assert abs(batch.pop("created") - time.time()) < 60
    assert abs(batch.pop("deadline") - time.time() - 86_400) < 60
    assert batch.pop("start_date") == datetime.datetime.now(datetime.UTC).date().isoformat()
    assert batch == {
        "object": "batch",
        "status": "in_progress",
        "total_urls": 2,
        "completed_urls": 0,
        "number_retried": 0,
        "parser": "none",
        "batch_parser": "none",
        "metadata": {"n": "1", "yes": "true"},
        "source": "api",
        "credits_consumed": None,
        "cost_usd": None,
        "state": "running",
        "outcome": None,
        "counts": {
            "total": 2,
            "pending": 2,
            "processing": 0,
            "completed": 0,
            "failed": 0,
            "skipped": 0,
            "cancelled": 0,
        },
        "rate": None,
        "eta": None,
    }


async def test_the_info_of_a_new_batch_is_its_create_reply(api: Api) -> None:
    made = await api.create("https://example.com/", country="us", webhook="https://hooks.example.com/x?y=1")
    assert made["country"] == made["batch_country"] == "US"
    assert made["webhook"] == "https://hooks.example.com/x?y=1"
    assert await api.get(f"/v1/batches/{made['id']}") == made


async def test_a_get_with_a_json_body_works_because_an_sdk_sends_one(api: Api) -> None:
    made = await api.create("https://example.com/")
    response = await api.client.request("GET", f"/v1/batches/{made['id']}", json={})
    assert response.status_code == 200


async def test_a_finished_batch_is_completed_with_its_outcome_and_credits(api: Api, pool: Pool) -> None:
    made = await api.create("https://example.com/a", "https://example.com/b", "https://example.com/c")
    worker = Worker(pool, Blobs(api.settings.packs_url))
    await worker.work(lambda item: FailureCode.HTTP_5XX if item.ord == 1 else None)
    info = await api.get(f"/v1/batches/{made['id']}")
    assert (info["status"], info["outcome"]) == ("completed", "partial")
    assert (info["total_urls"], info["completed_urls"], info["credits_consumed"]) == (3, 2, 2)
    assert info["counts"]["failed"] == 1
    assert info["finished_at"] >= info["created"]


URL = "https://a.example/"
HOOK = "https://h.example"


# What is sent, some of what the batch shows then, and its item's URL and custom_id.
SENT: list[tuple[dict[str, Any], dict[str, Any], tuple[str, str] | None]] = [
    # items
    ({"items": [{"url": URL, "custom_id": "example-com-0"}]}, {}, (URL, "example-com-0")),
    ({"items": [{"url": URL, "custom_id": URL}]}, {}, (URL, URL)),
    ({"items": [{"url": URL}]}, {}, (URL, r"auto_[0-9a-f]{16}")),
    ({"items": [{"url": "https://a.example", "custom_id": 7}]}, {}, ("https://a.example", "7")),
    ({"items": [{"url": URL, "custom_id": 743.0}]}, {}, (URL, "743")),
    ({"items": [{"url": "http://a.example", "custom_id": ""}]}, {}, ("http://a.example", r"auto_[0-9a-f]{16}")),
    ({"items": [{"url": URL, "custom_id": "é" * 2048}]}, {}, (URL, "é" * 2048)),
    ({"items": [{"url": URL, "custom_id": "x", "future": [1]}], "unknown": {}}, {}, (URL, "x")),
    ({"items": [{"url": URL, "custom_id": "x", "wait_before_scraping": 500}]}, {}, (URL, "x")),
    ({"urls": [URL], "formats": ["markdown"], "webhook_url": HOOK}, {"webhook": HOOK}, (URL, r"auto_.*")),
    ({"items": None, "batch_array": [{"url": URL, "custom_id": "x"}]}, {}, (URL, "x")),
    # beside them
    ({"urls": [URL], "country": "us"}, {"country": "US", "batch_country": "US"}, None),
    ({"urls": [URL], "country": "RANDOM"}, {"country": "RANDOM"}, None),
    ({"urls": [URL], "batch_country": "it"}, {"country": "IT", "batch_country": "IT"}, None),
    ({"urls": [URL], "parser": "none"}, {"parser": "none", "batch_parser": "none"}, None),
    ({"urls": [URL], "parser": {"id": "none", "version": "1.0"}}, {"parser": "none"}, None),
    ({"urls": [URL], "parser": None, "country": None, "webhook": None, "metadata": None}, {"metadata": {}}, None),
    ({"urls": [URL], "webhook": HOOK, "webhook_url": "https://other.example"}, {"webhook": HOOK}, None),
    ({"urls": [URL], "formats": "markdown", "wait_before_scraping": 0}, {}, None),
    ({"urls": [URL], "links_on_page": {"absolute_links": True, "query_to_order_links_by": "x"}}, {}, None),
    ({"urls": [URL], "force_connection_id": "x", "async": True, "completion_window": "1h"}, {}, None),
]


async def test_what_clients_send_is_taken_under_each_of_its_names(api: Api, pool: Pool) -> None:
    for body, shown, item in SENT:
        response = await api.client.post("/v1/batches", json=body)
        assert response.status_code == 200, response.text
        made = response.json()
        assert made["total_urls"] == 1
        assert shown.items() <= made.items()
        row = await pool.fetchrow("SELECT ref, custom_id FROM item ORDER BY batch_id DESC LIMIT 1")
        assert row is not None
        assert item is None or (row["ref"] == item[0] and re.fullmatch(item[1], row["custom_id"])), body


async def test_what_a_batch_chose_about_unwilling_sites_is_kept_and_shown(api: Api) -> None:
    made = await api.create("https://example.com/", robots="report", on_blocked="keep")
    assert (made["robots"], made["on_blocked"]) == ("report", "keep")
    plain = await api.create("https://example.com/")
    assert "robots" not in plain
    assert "on_blocked" not in plain


@pytest.mark.parametrize("country", ["de", "DE", "random", "RANDOM", None, ""])
@pytest.mark.parametrize("parser", [None, "", "none", {"id": "none"}, {"id": ""}, {}])
async def test_countries_and_the_absence_of_a_parser_are_taken_in_every_form(
    api: Api, country: str | None, parser: Any
) -> None:
    made = await api.create("https://example.com/", country=country, parser=parser)
    assert made["parser"] == "none"
    assert made.get("country") == (country.upper() if country else None)


async def test_options_are_kept_without_what_is_null(api: Api, pool: Pool) -> None:
    options = {
        "formats": ["markdown"],
        "links_on_page": {"absolute_links": True},
        "wait_before_scraping": 0,
    }
    nulls = {"query_to_order_links_by": None, "include_links": None, "exclude_links": []}
    await api.create("https://example.com/", **options | {"links_on_page": nulls}, country="fr")
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT options FROM batch") == {**options, "country": "FR"}


async def test_a_custom_id_twice_with_the_same_url_is_two_items(api: Api) -> None:
    items = [{"url": "https://example.com", "custom_id": "x"}, {"url": "https://example.com/", "custom_id": "x"}]
    response = await api.client.post("/v1/batches", json={"items": items})
    assert response.json()["total_urls"] == 2


async def test_ten_thousand_items_are_taken_in_one_request_within_a_second(api: Api) -> None:
    items = [
        {"url": f"https://site{n % 100}.example/product/{n}", "custom_id": f"product-{n}", "metadata": {"row": n}}
        for n in range(10_000)
    ]
    body = json.dumps({"items": items})
    started = time.process_time()
    response = await api.client.post("/v1/batches", content=body)
    assert response.json()["total_urls"] == 10_000
    assert time.process_time() - started < 1.0  # of this process's own time; the database's is not ours to promise here


async def test_a_timeout_of_its_own_ends_a_batch_long_before_the_reconciler_looks(api: Api) -> None:
    assert api.settings.reconcile_seconds == 3600
    made = await api.create("https://example.com/", timeout=0.2)
    opened = (await api.client.post("/v1/batches", json={"open": True, "timeout": 0.2})).json()
    async with asyncio.timeout(30):
        for batch in (made, opened):
            while (info := await api.get(f"/v1/batches/{batch['id']}"))["status"] != "completed":
                await asyncio.sleep(0.05)
            assert info["outcome"] == "expired"


async def test_a_timeout_is_counted_from_the_creation_and_of_an_open_batch_from_its_start(api: Api, pool: Pool) -> None:
    made = await api.create("https://example.com/", timeout=90.5)
    assert made["deadline"] - made["created"] in (90, 91)
    opened = await api.create("https://example.com/", open=True, timeout=600)
    assert opened["deadline"] - opened["created"] == 600
    await pool.execute(
        "UPDATE batch SET created_at = created_at - interval '500 seconds', deadline_at = deadline_at - interval '500 seconds'"
    )
    started = (await api.client.post(f"/v1/batches/{opened['id']}/start")).json()
    assert started["deadline"] - started["created"] in range(1100, 1160)


async def test_a_batch_past_its_deadline_ends_although_no_worker_lives(api_settings: Settings) -> None:
    short = settings_for(
        str(api_settings.database_url), api_settings.data_dir, batch_timeout=0.05, reconcile_seconds=0.05
    )
    async with running(short) as api, asyncio.timeout(20):
        made = await api.create("https://example.com/")
        info = made
        while info["status"] != "completed":
            info = await api.get(f"/v1/batches/{made['id']}")
        assert info["outcome"] == "expired"
        page = await api.get(f"/v1/batches/{made['id']}/items", status="failed")
        assert [item["error"]["code"] for item in page["items"]] == ["deadline"]
