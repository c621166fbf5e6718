"""POST /v1/batches/{id}/retry: which items are taken, what the new batch inherits, and what is refused."""

import asyncio
from typing import Any

import orjson
import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker

from thresher.domain.failure import FailureCode
from thresher.domain.states import Outcome
from thresher.storage import batches, ledger
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

URLS = [f"https://s{n % 3}.example/{n}" for n in range(6)]


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url))


def fate(**codes: FailureCode) -> Any:
    """Items fail by their custom_ids."""
    return lambda item: codes.get(item.custom_id)


FATE = fate(c1=FailureCode.TIMEOUT, c3=FailureCode.HTTP_4XX, c4=FailureCode.TIMEOUT)


async def retried(api: Api, batch: dict[str, Any], **how: Any) -> dict[str, Any]:
    response = await api.client.post(f"/v1/batches/{batch['id']}/retry", **how)
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


async def refused(api: Api, batch: dict[str, Any], **how: Any) -> tuple[int, str, str]:
    problem = await api.client.post(f"/v1/batches/{batch['id']}/retry", **how)
    return problem.status_code, problem.json()["code"], problem.json()["detail"]


async def listed(api: Api, batch: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(f"/v1/batches/{batch['id']}/items", **query))["items"]
    return found


async def test_a_retry_takes_what_has_no_result_with_everything_that_the_batch_and_its_items_had(
    api: Api, worker: Worker, pool: Pool
) -> None:
    own = {"parser": "@thresher/links", "headers": {"Cookie": "a=b"}, "timeout": 5}
    items = [{"url": url, "custom_id": f"c{n}", "metadata": {"n": n}, **own} for n, url in enumerate(URLS)]
    fields = {"country": "CH", "robots": "ignore", "webhook": "https://hooks.example/x", "source": "nightly"}
    fields |= {"webhook_events": ["batch.completed", "item.failed"]}
    fields |= {"headers": {"Authorization": "Bearer x"}, "content": "main"}
    body = {"items": items, "metadata": {"a": "1", "b": "2"}, "timeout": 600, "links_on_page": {}, **fields}
    first = (await api.client.post("/v1/batches", json=body)).json()
    assert (await refused(api, first))[:2] == (409, "batch_not_done")
    await worker.work(FATE)

    again = await retried(api, first, json={"metadata": {"b": "", "why": "flaky"}})
    assert (again["retry_of"], again["number_retried"], again["total_urls"]) == (first["id"], 1, 3)
    assert again["metadata"] == {"a": "1", "why": "flaky"}
    assert abs(again["deadline"] - again["created"] - 600) <= 1
    assert "retry_of" not in await api.get(f"/v1/batches/{first['id']}")
    one, other = [
        dict(await pool.fetchrow("SELECT * FROM batch WHERE public_id = $1", batch["id"])) for batch in (first, again)
    ]
    fed = await pool.fetchval("SELECT count(*) FROM item_feed WHERE batch_id = ANY ($1)", [one["id"], other["id"]])
    assert fed == 2  # so that the webhook is told of the retry's items, too
    # Whoever gives a batch or an item another column says here, or in the copy, what becomes of it in a retry.
    changed = {"id", "public_id", "retry_of", "root", "generation", "metadata", "created_at", "deadline_at"}
    assert {name for name in one if one[name] != other[name]} == changed
    assert (one["headers"], one["options"]["content"]) == ({"Authorization": "Bearer x"}, "main")
    rows = "SELECT i.* FROM item i JOIN batch b ON b.id = i.batch_id WHERE public_id = $1 ORDER BY ord"
    was = [dict(row) for row in await pool.fetch(rows, first["id"])]
    now = [dict(row) for row in await pool.fetch(rows, again["id"])]
    fresh = {
        "batch_id",
        "ord",
        "origin_batch",
        "origin_ord",
        "state",
        "finish_seq",
        "failure",
        "detail",
        "http",
        "attempts",
    }
    ended = {"billed", "pack_id", "off", "len", "finished_at"}
    for row, before in zip(now, [was[1], was[3], was[4]], strict=True):
        assert {name for name in row if row[name] != before[name]} <= fresh | ended
        assert (row["origin_batch"], row["origin_ord"]) == (one["id"], before["ord"])
    assert [row["ord"] for row in now] == [0, 1, 2]

    await worker.work(fate(c4=FailureCode.TIMEOUT))
    done = await api.get(f"/v1/batches/{again['id']}")
    assert (done["outcome"], done["counts"]["completed"], done["credits_consumed"]) == ("partial", 2, 2)
    third = await retried(api, again)
    assert (third["retry_of"], third["number_retried"]) == (again["id"], 2)
    assert [(row["custom_id"], row["metadata"]) for row in await listed(api, third, status="pending")] == [
        ("c4", {"n": "4"})
    ]


async def test_a_retry_can_be_narrowed_by_codes_and_one_of_nothing_is_refused(api: Api, worker: Worker) -> None:
    first = await api.create(*URLS)
    await worker.work(FATE)
    for how, taken in (
        ({"json": {"codes": ["timeout"]}}, ["c1", "c4"]),
        ({"params": {"codes": "timeout,http_4xx"}}, ["c1", "c3", "c4"]),
        ({"params": {"codes": "http_4xx"}, "json": {"codes": ["tls_error"]}}, ["c3"]),
        ({"json": {"codes": [], "metadata": None}}, ["c1", "c3", "c4"]),
        ({}, ["c1", "c3", "c4"]),
    ):
        made = await retried(api, first, **how)
        assert sorted(row["custom_id"] for row in await listed(api, made, status="pending")) == taken, how
        await api.client.post(f"/v1/batches/{made['id']}/cancel")
    assert await refused(api, first, json={"codes": ["tls_error", "internal"]}) == (
        400,
        "nothing_to_retry",
        "There is nothing to retry: no item of the batch has failed with tls_error, internal, but for what retries have"
        f" completed or are at; the latest is {made['id']}.",
    )
    for how, detail in (
        (
            {"json": {"codes": ["timeout", "nonsense", 7]}},
            "codes[1]: 'nonsense' is no failure code; there are invalid_url",
        ),
        ({"json": {"codes": "timeout"}}, "codes: must be an array of failure codes, not a string"),
        ({"params": {"codes": "nonsense"}}, "Unknown 'nonsense' in codes; there are invalid_url"),
        ({"json": {"metadata": {"k": {}}}}, 'Metadata value for key "k" must be a string. Got object.'),
        ({"json": {"metadata": []}}, "Metadata must be an object. Got array."),
        ({"content": b"[1]"}, "The request body must be a JSON object, not an array."),
    ):
        status, code, text = await refused(api, first, **how)
        assert (status, code) == (400, "validation_error")
        assert text.startswith(detail), text
    await worker.work()
    good = await retried(api, first)
    await worker.work()
    assert (await refused(api, good))[1:] == (
        "nothing_to_retry",
        "There is nothing to retry: all 3 items of the batch have a result.",
    )
    await api.client.delete(f"/v1/batches/{first['id']}")
    assert (await refused(api, first))[:2] == (410, "batch_purged")


async def test_a_stopped_batch_is_retried_the_same_whether_its_rows_are_written_or_not(
    api: Api, worker: Worker, pool: Pool
) -> None:
    first = await api.create(*URLS)
    claim = await worker.claim()
    assert claim is not None
    await worker.settle(claim, claim.items[:1], fate(c0=FailureCode.TIMEOUT))
    assert claim.items[0].custom_id == "c0"
    async with pool.acquire() as connection:
        await batches.stop(connection, claim.batch, Outcome.CANCELLED)
    await worker.end(claim)
    assert (await api.get(f"/v1/batches/{first['id']}"))["outcome"] == "cancelled"
    rest = [f"c{n}" for n in range(1, 6)]
    for how, taken in (
        ({}, ["c0", *rest]),
        ({"params": {"codes": "cancelled"}}, rest),
        ({"params": {"codes": "timeout"}}, ["c0"]),
    ):
        made = await retried(api, first, **how)
        assert sorted(row["custom_id"] for row in await listed(api, made, status="pending")) == taken, how
        await api.client.post(f"/v1/batches/{made['id']}/cancel")
    assert (await refused(api, first, params={"codes": "deadline"}))[1] == "nothing_to_retry"


async def test_a_retry_is_paid_for_and_done_once_under_a_key(api: Api, worker: Worker, pool: Pool) -> None:
    first = await api.create(*URLS)
    await worker.work(FATE)
    key = {"Idempotency-Key": "again"}
    made, same = [await retried(api, first, headers=key) for _ in range(2)]
    assert made == same
    assert await pool.fetchval("SELECT count(*) FROM batch") == 2
    account = await pool.fetchval("SELECT min(id) FROM account")
    async with pool.acquire() as connection:
        assert (await ledger.statement(connection, account)).reserved == 3
        await api.client.post(f"/v1/batches/{made['id']}/cancel")
        await ledger.grant(connection, account, 2)
    assert await refused(api, first) == (
        402,
        "credits_exhausted",
        "This needs 3 credits, and the account has 2 available.",
    )
    assert await pool.fetchval("SELECT count(*) FROM batch") == 2
    await retried(api, first, params={"codes": "timeout"})


async def test_of_a_line_of_retries_nothing_is_fetched_twice_that_is_there_or_under_way(
    api: Api, worker: Worker
) -> None:
    first = await api.create(*URLS)
    await worker.work(FATE)
    path = f"/v1/batches/{first['id']}/retry"
    answers = await asyncio.gather(*(api.client.post(path) for _ in range(3)))
    [made] = [answer.json() for answer in answers if answer.status_code == 200]
    assert made["total_urls"] == 3
    for answer in answers:
        if answer.status_code != 200:
            assert answer.json()["detail"].endswith(f"or are at; the latest is {made['id']}."), answer.text
    await worker.work(fate(c1=FailureCode.TIMEOUT))
    again, deeper = await retried(api, first), await refused(api, made)
    assert [row["custom_id"] for row in await listed(api, again, status="pending")] == ["c1"]
    assert deeper[1] == "nothing_to_retry", "the retry of the retry would fetch the same"
    await worker.work()
    assert (await refused(api, first))[1] == (await refused(api, made))[1] == "nothing_to_retry"
    await api.client.delete(f"/v1/batches/{again['id']}")
    assert (await retried(api, first))["total_urls"] == 1, "what was purged is gone"


async def test_merged_items_and_lines_are_each_item_once_with_its_best_result_while_the_retry_runs_and_after(
    api: Api, worker: Worker
) -> None:
    first = await api.create(*URLS)
    path = f"/v1/batches/{first['id']}"
    early = await api.client.get(f"{path}/items", params={"lineage": "merged"})
    assert (early.status_code, early.json()["code"]) == (409, "batch_not_done")
    assert (await api.client.get(f"{path}/export", params={"lineage": "merged"})).json()["code"] == "batch_not_done"
    await worker.work(FATE)
    again = await retried(api, first)
    assert (await api.get(f"{path}/items", lineage="merged"))["status"] == "in_progress"

    async def merged(batch: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Pages of two, by the cursor; the export is the same."""
        found, cursor = [], None
        while True:
            query = {"lineage": "merged", "limit": 2, "formats": "markdown", **({"cursor": cursor} if cursor else {})}
            page = await api.get(f"/v1/batches/{batch['id']}/items", **query)
            assert page["items_count"] == 6
            found += page["items"]
            cursor = page.get("cursor")
            if cursor is None:
                break
        export = f"/v1/batches/{batch['id']}/export"
        whole = (await api.client.get(export, params={"lineage": "merged"})).text.splitlines()
        lines = [orjson.loads(line) for line in whole]
        behind = await api.client.get(export, params={"lineage": "merged", "cursor": lines[1]["cursor"], "limit": 3})
        assert behind.text.splitlines() == whole[2:5]
        failed = await api.client.get(export, params={"lineage": "merged", "status": "failed"})
        assert failed.text.splitlines() == [line for line in whole if '"status":"failed"' in line]
        for row, line in zip(found, lines, strict=True):
            assert (row["retrieve_id"], row["batch_id"]) == (line["retrieve_id"], line["batch_id"])
            assert row.get("markdown_content") == line["markdown"]
            assert (line["markdown"] is not None) == (line["status"] == "completed")
        return [(row["custom_id"], row["status"], row["batch_id"]) for row in found]

    one, two = first["id"], again["id"]
    good = {n: (f"c{n}", "completed", one) for n in (0, 2, 5)}
    assert await merged(first) == [good.get(n, (f"c{n}", "failed", one)) for n in range(6)]
    await worker.work(fate(c3=FailureCode.HTTP_4XX))
    now = {**good, 1: ("c1", "completed", two), 3: ("c3", "failed", two), 4: ("c4", "completed", two)}
    assert await merged(first) == await merged(again) == [now[n] for n in range(6)]
    page = await api.get(f"/v1/batches/{two}/items", lineage="merged", status="completed", limit=4)
    assert (page["status"], page["items_count"], page["cursor"]) == ("completed", 6, 6)
    assert [row["custom_id"] for row in page["items"]] == ["c0", "c1", "c2", "c4"]
    assert (await api.get(f"{path}/items", lineage="merged", status="pending"))["items"] == []
    assert {row["custom_id"] for row in await listed(api, first, lineage="own", status="failed")} == {"c1", "c3", "c4"}

    await api.client.delete(path)
    gone = await api.client.get(f"/v1/batches/{two}/items", params={"lineage": "merged"})
    assert (gone.status_code, gone.json()["code"], gone.json()["counts"]["failed"]) == (410, "batch_purged", 3)
    assert gone.json()["detail"].startswith("The batch that this line of retries began with")
    assert len(await listed(api, again)) == 3
