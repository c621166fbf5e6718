"""Items that are files, beside items that are URLs: asked for, refused by place, and read wherever items are read."""

from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

import orjson
from tests.api.conftest import Api
from tests.api.worker import Worker
from tests.files import pdf
from tests.support import files

from thresher.convert.document import Source
from thresher.storage import accounts
from thresher.storage import files as stored
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

URL = "https://a.example/"
NDJSON = {"Content-Type": "application/x-ndjson"}
REPORT = pdf.pdf(pdf.paragraphs("Annual report", "All is well."), pdf.paragraphs("Outlook", "Better."))


async def upload(api: Api, pool: Pool, name: str, data: bytes, account: int = 1) -> str:
    """A file of the account; its id."""
    async with pool.acquire() as connection:
        return str((await files.upload(connection, Blobs(api.settings.packs_url), name, data, account)).id)


async def refused(api: Api, items: list[dict[str, Any]]) -> str:
    answer = await api.client.post("/v1/batches", json={"items": items})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error"), answer.text
    return str(answer.json()["detail"])


async def test_what_is_wrong_with_a_file_item_is_said_by_its_place_at_every_door(api: Api, pool: Pool) -> None:
    async with pool.acquire() as connection:
        stranger = await accounts.create(connection, "stranger")
        assert stranger is not None
    known, foreign = await upload(api, pool, "a.pdf", REPORT), await upload(api, pool, "b.pdf", REPORT, stranger)
    deleted, past = [await upload(api, pool, "c.pdf", REPORT) for _ in range(2)]
    async with pool.acquire() as connection:
        assert await stored.delete(connection, 1, UUID(deleted))
    await pool.execute("UPDATE file SET expires_at = now() WHERE id = $1::uuid", past)
    gone = "file_id: there is no file with this id"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"file_id": 7}, "file_id: must be a string, not a number"),
        ({"file_id": "a.pdf"}, "file_id: 'a.pdf' is not the id of a file"),
        ({"file_id": f"{known}\n"}, "is not the id of a file"),
        ({"file_id": known, "url": URL}, "file_id: stands beside a url"),
        ({"file_id": known, "headers": {"X-A": "b"}}, "headers: is for what is fetched, and a file is not"),
        ({"file_id": known, "timeout": 5}, "timeout: is for what is fetched"),
        ({"file_id": str(uuid4())}, gone),
        ({"file_id": foreign}, gone),
        ({"file_id": deleted}, gone),
        ({"file_id": past}, gone),
        ({"file_id": None}, "url: is required"),
        ({"file": {"name": "a.pdf", "size": 1}}, "url: is required"),
    ]
    opened = await api.create(URL, open=True)
    for fields, text in wrong:
        told = await refused(api, [{"url": URL}, fields])
        assert (text in told, told.startswith("items[1].")) == (True, True), told
        lines = b"\n" + orjson.dumps({"file_id": known}) + b"\n" + orjson.dumps(fields)
        answer = await api.client.post(f"/v1/batches/{opened['id']}/items", content=lines, headers=NDJSON)
        told = answer.json()["detail"]
        assert (text in told, told.startswith("line 3, ")) == (True, True), told
        answer = await api.client.post(f"/v1/batches/{opened['id']}/items", json={"items": [fields]})
        assert text in answer.json()["detail"], answer.text
    assert (await api.get(f"/v1/batches/{opened['id']}"))["total_urls"] == 1

    pair = [{"file_id": known, "custom_id": "x"}, {"url": URL, "custom_id": "x"}]
    assert "items[0] and items[1] have the same custom_id 'x' for different URLs or files" in await refused(api, pair)
    other = await upload(api, pool, "d.pdf", REPORT)
    for item in pair[0], {"file_id": other, "custom_id": "x"}:
        await api.client.post(f"/v1/batches/{opened['id']}/items", json={"items": [item]})
    answer = await api.client.post(f"/v1/batches/{opened['id']}/start")
    assert "items[1] and items[2] of the batch have the same custom_id 'x'" in answer.json()["detail"]
    twice = [{"file_id": known}, {"file_id": known.upper()}, {"file_id": known, "custom_id": "y"}]
    made = await api.client.post("/v1/batches", json={"items": twice})
    assert (made.status_code, made.json()["total_urls"]) == (200, 3)


async def test_a_batch_of_urls_and_files_is_read_everywhere_as_one_and_a_file_says_which_it_is(
    api: Api, pool: Pool
) -> None:
    report = await upload(api, pool, "Bericht ü.pdf", REPORT)
    page = await upload(api, pool, "mails.html", b"<title>M</title><p>Write to ann@example.com.")
    items = [
        {"url": URL, "custom_id": "web"},
        {"file_id": report, "custom_id": "pdf", "metadata": {"year": "2026"}},
        {"file_id": page, "custom_id": "mails", "parser": "@olostep/extract-emails"},
    ]
    made = (await api.client.post("/v1/batches", json={"items": items, "headers": {"X-A": "b"}})).json()
    path = f"/v1/batches/{made['id']}"
    (pending,) = [
        one for one in (await api.get(f"{path}/items", status="pending"))["items"] if one["custom_id"] == "pdf"
    ]
    of_report = {"url": f"file:{report}", "file_id": report, "name": "Bericht ü.pdf"}
    assert pending.items() >= (of_report | {"metadata": {"year": "2026"}}).items()

    sources = {
        "pdf": Source(f"file:{report}", REPORT, name="Bericht ü.pdf"),
        "mails": Source(f"file:{page}", b"<title>M</title><p>Write to ann@example.com.", name="mails.html"),
    }
    worker = Worker(pool, Blobs(api.settings.packs_url), sources=sources)
    await worker.work()
    assert (await api.get(path))["counts"]["completed"] == 3
    listed = {one["custom_id"]: one for one in (await api.get(f"{path}/items"))["items"]}
    assert listed["pdf"].items() >= of_report.items()
    assert not {"file_id", "name"} & listed["web"].keys()

    found = await api.get("/v1/retrieve", retrieve_id=listed["pdf"]["retrieve_id"])
    assert found.items() >= of_report.items()
    assert found["markdown_content"].startswith("# Annual report")
    assert (found["html_content"], found["page_metadata"]["pages"]) == (None, 2)
    assert "pages_content" not in found
    emails = await api.get("/v1/retrieve", retrieve_id=listed["mails"]["retrieve_id"], formats="json,html")
    assert "ann@example.com" in emails["json_content"]
    assert "<title>M" in emails["html_content"]

    asked = await api.get("/v1/retrieve", retrieve_id=listed["pdf"]["retrieve_id"], formats="pages", max_chars="10000")
    assert [(one["number"], one["items"][0]["value"]) for one in asked["pages_content"]] == [
        (1, "Annual report"),
        (2, "Outlook"),
    ]
    assert (asked["markdown_content"], asked["window"]["next_offset"]) == (None, {"pages": None})
    hosted = await api.client.get(asked["pages_hosted_url"], headers={"Authorization": ""})
    assert hosted.json() == asked["pages_content"]
    none = await api.get("/v1/retrieve", retrieve_id=listed["web"]["retrieve_id"], formats="pages")
    assert (none["pages_content"], none["pages_hosted_url"]) == (None, None)
    shown = {one["custom_id"]: one for one in (await api.get(f"{path}/items", formats="pages"))["items"]}
    assert shown["pdf"]["pages_content"] == asked["pages_content"]
    assert shown["web"]["pages_content"] is None

    exported = await api.client.get(f"{path}/export?order=submitted&formats=markdown,pages")
    rows = [orjson.loads(line) for line in exported.content.splitlines()]
    assert [row["custom_id"] for row in rows] == ["web", "pdf", "mails"]
    assert (
        rows[1].items()
        >= (of_report | {"pages": asked["pages_content"], "title": found["page_metadata"]["title"]}).items()
    )
    assert (rows[0]["pages"], rows[0].get("file_id")) == (None, None)

    explained = await api.get(f"/v1/items/{listed['pdf']['id']}/explain")
    assert explained.items() >= of_report.items()

    merged = await api.client.get(f"{path}/export?lineage=merged")
    assert [orjson.loads(line).get("file_id") for line in merged.content.splitlines()] == [None, report, page]
    again = (await api.client.post("/v1/batches", json={"items": [items[1], items[0]]})).json()
    await worker.work()
    diff = await api.get(f"/v1/batches/{again['id']}/diff", **{"with": made["id"]})
    assert [entry["before"].get("file_id") for entry in diff["data"]] == [report, None, page]


async def test_a_forecast_knows_files_and_those_that_are_yet_to_be_uploaded(api: Api, pool: Pool) -> None:
    known = await upload(api, pool, "a.pdf", REPORT)
    most, large = api.settings.max_file_bytes, api.settings.document_max_bytes + 1
    items: list[dict[str, Any]] = [
        {"url": URL},
        {"file_id": known},
        {"file_id": known},
        {"file_id": str(uuid4())},
        {"file": {"name": "b.pdf", "size": 5}},
        {"file": {"name": "c.csv", "size": large}, "custom_id": "c"},
        {"file": {"name": "d.iso", "size": most + 1}},
        {"file": {"name": "e.pdf", "size": 0}},
        {"file": "f.pdf"},
        {"file": {"name": "g.pdf", "size": 5}, "headers": {}},
    ]
    answer = await api.client.post("/v1/batches?dry_run=true", json={"items": items})
    told = answer.json()
    counts = {"total": 10, "refused": 5, "failing": 1, "unique_urls": 1, "files": 3, "duplicates": 1}
    assert (told["accepted"], told["counts"]) == (False, counts), answer.text
    assert [(one["index"], one["code"]) for one in sorted(told["refused"], key=itemgetter("index"))] == [
        (3, "invalid_file_id"),
        (6, "invalid_file"),
        (7, "invalid_file"),
        (8, "invalid_file"),
        (9, "invalid_headers"),
    ]
    assert f"{most} (THRESHER_MAX_FILE_BYTES)" in told["refused"][0]["reason"]
    (failing,) = told["failing"]
    assert (failing["custom_id"], failing["code"]) == ("c", "too_large")
    assert "THRESHER_DOCUMENT_MAX_BYTES" in failing["reason"]
    assert (told["credits"]["most"], told["hosts"]["total"]) == (5, 1)
    assert (told["duration"]["seconds"], told["robots"]["unknown"]) == (None, 1)
    assert await pool.fetchval("SELECT count(*) FROM batch") == 0
    only = await api.client.post("/v1/batches?dry_run=true", json={"items": items[4:5]})
    assert (only.json()["accepted"], only.json()["duration"]["reason"]) == (
        True,
        "What it takes to convert files is not measured.",
    )
