"""POST /v1/batches/{id}/apply: which items are taken, what is as it was, and what is refused."""

from typing import Any

import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker

from thresher.domain.failure import FailureCode
from thresher.storage import ledger
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

FATES = {1: FailureCode.PARSER_NO_MATCH, 2: FailureCode.TIMEOUT, 3: FailureCode.PARSER_FAILED}


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url))


async def test_what_is_stored_is_read_anew_in_a_batch_that_is_else_as_it_was(
    api: Api, worker: Worker, pool: Pool
) -> None:
    items = [{"url": f"https://s{n}.example/", "custom_id": f"c{n}", "metadata": {"n": n}} for n in range(5)]
    fields = {"parser": "@thresher/product", "webhook": "https://hooks.example/x", "source": "nightly", "timeout": 600}
    fields |= {"max_age": 60, "metadata": {"a": "1", "b": "2"}, "country": "CH"}
    first = (await api.client.post("/v1/batches", json={"items": items, **fields})).json()
    path = f"/v1/batches/{first['id']}/apply"
    early = await api.client.post(path)
    assert (early.status_code, early.json()["code"]) == (409, "batch_not_done")
    assert early.json()["detail"] == "This batch is running; its pages can be read in another way when it is done."
    await worker.work(lambda item: FATES.get(item.ord))
    for fate, shown in ((1, "parser_no_match"), (3, "parser_failed")):
        [failed] = [
            one
            for one in (await api.get(f"/v1/batches/{first['id']}/items", formats="html"))["items"]
            if one["custom_id"] == f"c{fate}"
        ]
        assert (failed["error"]["code"], failed.get("html_content")) == (shown, None)
        content = await api.get("/v1/retrieve", retrieve_id=failed["retrieve_id"])
        assert (content["success"], content["html_content"], content["html_hosted_url"]) == (False, None, None)

    own = """UPDATE item SET options = '{"parser": "@thresher/links", "timeout": 5}', price = 7 WHERE ord = 0"""
    await pool.execute(own)
    body = {"parser": "none", "content": "main", "metadata": {"b": ""}, "links_on_page": {"include_links": ["/*"]}}
    key = {"Idempotency-Key": "once"}
    made, same = [(await api.client.post(path, json=body, headers=key)).json() for _ in range(2)]
    assert made == same
    assert (made["applied_to"], made["total_urls"], made["without_page"]) == (first["id"], 4, 1)
    assert (made["parser"], made["metadata"], made["source"]) == ("none", {"a": "1"}, "nightly")
    assert (made["webhook"], made["country"], made["number_retried"]) == ("https://hooks.example/x", "CH", 0)
    assert not {"retry_of", "max_age"} & {*made}
    assert abs(made["deadline"] - made["created"] - 600) <= 1
    rows = await pool.fetch("SELECT i.* FROM item i JOIN batch b ON b.id = batch_id WHERE public_id = $1", made["id"])
    assert [(row["custom_id"], row["body_ord"], row["metadata"]) for row in rows] == [
        (f"c{n}", n, {"n": str(n)}) for n in (0, 1, 3, 4)
    ]
    assert (rows[0]["options"], rows[0]["price"]) == ({"timeout": 5}, None), "a parser for all is for all"
    waiting = (await api.get(f"/v1/batches/{made['id']}/items", status="pending"))["items"][0]["id"]
    assert (await api.get(f"/v1/items/{waiting}/explain"))["waiting_for"]["what"] == "queue"
    again = (await api.client.post(path, json={"webhook": "https://hooks.example/y"})).json()
    assert (again["parser"], again["webhook"]) == ("@thresher/product", "https://hooks.example/y")
    assert await pool.fetchval("SELECT max(price) FROM item WHERE batch_id > 1") == 7


async def test_an_apply_is_paid_for_and_one_of_nothing_or_of_no_sense_is_refused(
    api: Api, worker: Worker, pool: Pool
) -> None:
    first = await api.create("https://a.example/", "https://b.example/", parser="@thresher/product")
    await worker.work(lambda _: FailureCode.PARSER_NO_MATCH)
    path = f"/v1/batches/{first['id']}/apply"

    async def refused(body: Any) -> tuple[int, str, str]:
        problem = await api.client.post(path, json=body)
        return problem.status_code, problem.json()["code"], problem.json()["detail"]

    for body, place in (
        ({"parser": "nonsense"}, "parser: No parser"),
        ({"parser": {"id": 7}}, "parser.id: must be a string"),
        ({"content": "all"}, "content: must be one of page, main"),
        ({"on_blocked": 1}, "on_blocked: must be one of fail, keep"),
        ({"webhook": "ftp://x"}, "webhook: "),
        ({"metadata": 7}, ""),
        ([], "The request body must be a JSON object"),
    ):
        status, code, detail = await refused(body)
        assert (status, code) == (400, "validation_error"), body
        assert detail.startswith(place)
    account = await pool.fetchval("SELECT min(id) FROM account")
    async with pool.acquire() as connection:
        await ledger.grant(connection, account, 1)
    assert await refused({"parser": None, "content": None}) == (
        402,
        "credits_exhausted",
        "This needs 2 credits, and the account has 1 available.",
    )
    assert await pool.fetchval("SELECT count(*) FROM batch") == 1
    await pool.execute("UPDATE item SET len = NULL")
    assert (await refused({}))[:2] == (400, "nothing_stored")
    await api.client.delete(f"/v1/batches/{first['id']}")
    assert (await refused({}))[:2] == (410, "batch_purged")
