"""GET /v1/batches/{id}/items: the form of an item, filters, and paging while the batch runs."""

import gzip
import re
from typing import Any

import orjson
import pytest
from tests.api.conftest import Api, running, settings_for
from tests.api.worker import Worker, complete_in_sql

from thresher.api.olostep.parts import Parts
from thresher.convert import frame as frames
from thresher.convert.convert import convert
from thresher.convert.document import Source
from thresher.convert.frame import encode
from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.states import Outcome
from thresher.settings import Settings
from thresher.storage import batches
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.shards import ShardItem


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url))


def odd_fail(item: ShardItem) -> FailureCode | None:
    return FailureCode.HTTP_5XX if item.ord % 2 else None


async def pages(api: Api, batch: str, **query: Any) -> list[dict[str, Any]]:
    """All pages from the start, by following the cursor."""
    found, cursor = [], None
    while True:
        page = await api.get(f"/v1/batches/{batch}/items", **query, **({"cursor": cursor} if cursor else {}))
        found.append(page)
        cursor = page.get("cursor")
        if cursor is None:
            return found


async def test_a_page_shows_completed_and_failed_items_with_their_reasons(api: Api, worker: Worker) -> None:
    items = [{"url": "https://a.example", "custom_id": "x", "metadata": {"k": 1}}, {"url": "https://a.example/1"}]
    batch = (await api.client.post("/v1/batches", json={"items": items})).json()["id"]
    await worker.work(odd_fail)
    page = await api.get(f"/v1/batches/{batch}/items")
    good, bad = page.pop("items")
    assert page == {"id": batch, "batch_id": batch, "object": "list", "status": "completed", "items_count": 2}
    assert re.fullmatch(r"ret_[a-z2-7]{26}", good["retrieve_id"])
    assert good == {
        "id": good["retrieve_id"],
        "retrieve_id": good["retrieve_id"],
        "custom_id": "x",
        "url": "https://a.example",
        "status": "completed",
        "metadata": {"k": "1"},
        "http_status": 200,
    }
    assert bad["status"] == "failed"
    assert bad["retrieve_id"] != good["retrieve_id"]
    kind = FAILURES[FailureCode.HTTP_5XX]
    assert bad["error"] == {
        "code": "http_5xx",
        "message": "told by the test",
        "retryable": kind.retryable,
        "remedy": kind.remedy,
    }


async def test_the_object_member_follows_the_setting(api_settings: Settings) -> None:
    other = settings_for(str(api_settings.database_url), api_settings.data_dir, items_object="batch")
    async with running(other) as api:
        made = await api.create("https://a.example/")
        assert (await api.get(f"/v1/batches/{made['id']}/items"))["object"] == "batch"


async def test_pages_taken_while_items_settle_have_no_gap_and_no_double(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://s{n % 7}.example/{n}" for n in range(60)))
    seen: list[str] = []
    cursor: int | None = None
    done = False
    while True:
        claim = await worker.claim()
        if claim:
            half = len(claim.items) // 2
            await worker.settle(claim, claim.items[:half], odd_fail)
        page = await api.get(f"/v1/batches/{made['id']}/items", limit=4, **({"cursor": cursor} if cursor else {}))
        seen += [item["custom_id"] for item in page["items"]]
        assert page["items_count"] >= len(seen)
        if claim:
            await worker.settle(claim, claim.items[half:], odd_fail)
            await worker.end(claim)
        done = done or page["status"] == "completed"
        # A page without a cursor ends at what is finished: the next one begins behind what was seen.
        cursor = page.get("cursor") or len(seen) + 1
        if done and len(seen) == 60:
            break
    assert sorted(seen) == sorted(f"c{n}" for n in range(60))
    again = [item["custom_id"] for page in await pages(api, made["id"], limit=7) for item in page["items"]]
    assert again == seen


async def test_the_last_page_has_no_cursor_and_no_page_has_the_cursor_zero(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(6)))
    await worker.work()
    found = await pages(api, made["id"], limit=3)
    assert [len(page["items"]) for page in found] == [3, 3]
    assert "cursor" not in found[-1]
    assert found[0]["cursor"] == 4
    path = f"/v1/batches/{made['id']}/items"
    assert (
        await api.get(path, cursor=0, limit=3)
        == await api.get(path, limit=3)
        == await api.get(path, cursor="1", limit="3")
    )
    assert (await api.get(path, cursor=2**80))["items"] == []


async def test_a_filter_counts_and_pages_only_what_it_names(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(11)))
    await worker.work(odd_fail)
    for status, ords in (("failed", range(1, 11, 2)), ("completed", range(0, 11, 2))):
        found = await pages(api, made["id"], status=status, limit=2)
        assert {page["items_count"] for page in found} == {len(ords)}
        assert [item["custom_id"] for page in found for item in page["items"]] == [f"c{n}" for n in ords]
    for status in ("pending", "processing", "skipped", "cancelled"):
        assert (await api.get(f"/v1/batches/{made['id']}/items", status=status))["items"] == []


async def test_unsettled_items_are_listed_by_their_own_filters_without_a_retrieve_id(api: Api, worker: Worker) -> None:
    made = await api.create("https://a.example/0", "https://b.example/1", "https://b.example/2")
    path = f"/v1/batches/{made['id']}/items"
    claim = await worker.claim()
    assert claim is not None
    held = [item.custom_id for item in claim.items]
    processing = await api.get(path, status="processing")
    assert [item["custom_id"] for item in processing["items"]] == held
    assert processing["items_count"] == len(held)
    pending = await pages(api, made["id"], status="pending", limit=1)
    assert [item["custom_id"] for page in pending for item in page["items"]] == sorted({"c0", "c1", "c2"} - set(held))
    item = pending[0]["items"][0]
    assert item["status"] == "pending"
    assert item["id"].startswith("ret_")
    assert not {"retrieve_id", "error"} & item.keys()
    assert await api.get(path) | {"items": []} == await api.get(path)


async def test_a_cancelled_batch_shows_its_unsettled_items_as_cancelled(api: Api, pool: Pool) -> None:
    made = await api.create("https://a.example/0", "https://a.example/1")
    async with pool.acquire() as connection:
        key = await connection.fetchval("SELECT id FROM batch")
        assert await batches.stop(connection, key, Outcome.CANCELLED)
    found = await pages(api, made["id"], limit=1)
    assert [page["items"][0]["status"] for page in found] == ["cancelled", "cancelled"]
    item = found[0]["items"][0]
    assert item["error"]["code"] == "cancelled"
    content = await api.get("/v1/retrieve", retrieve_id=item["retrieve_id"])
    assert content["success"] is False
    assert content["error"]["code"] == "cancelled"


BAD = [
    ({"status": "done"}, "Status must be one of 'completed', 'failed', 'pending'"),
    ({"status": "COMPLETED"}, "Status must be one of"),
    ({"cursor": "-1"}, "cursor must be an integer of at least 0"),
    ({"cursor": "abc"}, "cursor must be an integer"),
    ({"cursor": "1.5"}, "cursor must be an integer"),
    ({"cursor": "\u0663"}, "cursor must be an integer"),
    ({"cursor": "9" * 5000}, "cursor must be an integer"),
    ({"limit": "0"}, "limit must be an integer of at least 1"),
    ({"limit": "-5"}, "limit must be an integer of at least 1"),
    ({"limit": "ten"}, "limit must be an integer"),
    ({"limit": "\0"}, "limit must be an integer"),
]


@pytest.mark.parametrize(("query", "detail"), BAD)
async def test_a_bad_query_is_refused_by_name(api: Api, query: dict[str, str], detail: str) -> None:
    made = await api.create("https://a.example/")
    response = await api.client.get(f"/v1/batches/{made['id']}/items", params=query)
    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert detail in response.json()["detail"]
    assert response.json()["errors"][0]["loc"] == ["query", next(iter(query))]


async def test_a_limit_over_the_largest_page_is_cut_and_an_absent_one_is_the_default(api_settings: Settings) -> None:
    small = settings_for(str(api_settings.database_url), api_settings.data_dir, max_page=4, default_page=3)
    async with running(small) as api:
        made = await api.create(*(f"https://a.example/{n}" for n in range(6)))
        path = f"/v1/batches/{made['id']}/items"
        assert len((await api.get(path, status="pending", limit=10**40))["items"]) == 4
        assert len((await api.get(path, status="pending"))["items"]) == 3
        assert len((await api.get(path, status="pending", limit="", wait_for_completion="true"))["items"]) == 3
        assert (await api.client.get(path + "?")).status_code == 200


HREFS = ("/a.pdf", "/blog/one?x=1", "//site.example/blog/two/", "https://other.example/a.pdf", "/blog/one?x=1", "#top")
LINKS = [
    "https://site.example/a.pdf",
    "https://site.example/blog/one?x=1",
    "https://site.example/blog/two/",
    "https://other.example/a.pdf",
]


def page_of(text: str, url: str = "https://site.example/start") -> bytes:
    """The frame of a page with the links HREFS and this text."""
    body = "".join(f'<a href="{href}">{href}</a> ' for href in HREFS) + f"<p>{text}</p>"
    source = Source(url, body.encode(), "text/html; charset=utf-8")
    return encode(source, convert(source, max_decoded_bytes=2**20), {})


async def complete(api: Api, pool: Pool, batch: str, frame: bytes) -> None:
    async with pool.acquire() as connection:
        await complete_in_sql(connection, Blobs(api.settings.packs_url), batch, frame)


async def test_links_on_page_is_what_the_batch_chose_on_items_and_in_the_export(api: Api, pool: Pool) -> None:
    frame = page_of("text")
    for options, links in (
        ({}, LINKS),
        ({"include_links": ["/blog/**"]}, LINKS[1:3]),
        ({"exclude_links": ["*.pdf"], "absolute_links": False}, ["/blog/one?x=1", "/blog/two/"]),
        ({"query_to_order_links_by": "two blog", "include_links": None}, [LINKS[n] for n in (2, 1, 0, 3)]),
        ({"include_links": ["nothing"]}, []),
        (None, None),
    ):
        made = await api.create("https://site.example/", links_on_page=options)
        await complete(api, pool, made["id"], frame)
        for query in ({}, {"status": "completed"}, {"limit": "1", "wait_for_completion": "true"}):
            (item,) = (await api.get(f"/v1/batches/{made['id']}/items", **query))["items"]
            assert item.get("links_on_page") == links
        (line,) = (await api.client.get(f"/v1/batches/{made['id']}/export?formats=links")).text.splitlines()
        assert orjson.loads(line)["links"] == (LINKS if links is None else links)


async def test_items_carry_the_contents_that_formats_names_in_any_spelling(api: Api, worker: Worker) -> None:
    made = await api.create("https://a.example/0", "https://b.example/1", links_on_page={})
    await worker.work(odd_fail)
    path = f"/v1/batches/{made['id']}/items"
    plain = (await api.get(path))["items"]
    good = next(item for item in plain if item["status"] == "completed")
    assert not [name for item in plain for name in item if name.endswith("_content")]
    assert good["links_on_page"] == ["https://a.example/next"]
    content = await api.get("/v1/retrieve", retrieve_id=good["retrieve_id"])
    for query in (
        "formats=html,markdown",
        'formats=["html","markdown"]',
        "formats=html&formats=Markdown&formats=screenshot",
        "formats[]=html&formats[]=markdown",
    ):
        items = (await api.client.get(f"{path}?{query}")).json()["items"]
        wanted = {name: content[name] for name in ("html_content", "markdown_content")}
        assert items == [item | wanted if item == good else item for item in plain]
    everything = (await api.get(path, formats="text,json", status="completed"))["items"][0]
    assert everything == good | {"text_content": content["text_content"], "json_content": content["json_content"]}
    assert (await api.get(path, formats="html", status="pending"))["items"] == []
    refused = await api.client.get(f"{path}?formats=gif")
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (400, ["query", "formats"])


async def test_a_page_of_contents_ends_where_an_answer_is_full_and_the_next_goes_on(
    api_settings: Settings, pool: Pool
) -> None:
    limit = 30_000
    small = settings_for(str(api_settings.database_url), api_settings.data_dir, max_inline_bytes=limit)
    async with running(small) as api:
        made = await api.create(*(f"https://a.example/{n}" for n in range(20)))
        await complete(api, pool, made["id"], page_of("word " * 1300))
        plain = (await api.get(f"/v1/batches/{made['id']}/items"))["items"]
        for query in ({}, {"status": "completed"}, {"limit": 3}):
            found = await pages(api, made["id"], formats="markdown,html", **query)
            seen = [item for page in found for item in page["items"]]
            assert [{**item, "markdown_content": 0, "html_content": 0} for item in seen] == [
                {**item, "markdown_content": 0, "html_content": 0} for item in plain
            ]
            assert all(len(item["html_content"]) > 6500 for item in seen)
            assert [len(page["items"]) for page in found] == [2] * 10
            assert {page["items_count"] for page in found} == {20}
        large = await api.create("https://a.example/0", "https://a.example/1", links_on_page={})
        await complete(api, pool, large["id"], page_of("word " * 3500))
        (page,) = await pages(api, large["id"], formats="markdown,html")
        for item in page["items"]:
            assert (item["size_exceeded"], item["markdown_content"], item["html_content"]) == (True, None, None)
        assert all(
            len(item["links_on_page"]) == 4 for item in (await api.get(f"/v1/batches/{large['id']}/items"))["items"]
        )


def test_what_is_too_large_for_a_page_is_not_unpacked_to_find_that_out(monkeypatch: pytest.MonkeyPatch) -> None:
    html = "<p>" + "word " * 3500
    source = Source("https://a.example/", gzip.compress(html.encode()), "text/html", "gzip")
    frame = memoryview(encode(source, convert(source, max_decoded_bytes=2**20), {}))
    limits: list[int] = []
    decode = frames.decode_body
    monkeypatch.setattr(
        frames, "decode_body", lambda body, coding, limit: limits.append(limit) or decode(body, coding, limit)
    )
    assert Parts({"html"}, 2**20).read(frame)[1] == {"html": html}
    assert Parts({"html"}, 2**20, 1024).read(frame)[1] == {"html": None, "size_exceeded": True}
    assert limits == [2**20, 2050]
    monkeypatch.setattr(frames, "_decompressor", None)
    for name in ("markdown", "text"):
        found = Parts({name, "links"}, 2**20, 1024).read(frame)[1]
        assert found == {name: None, "links": None, "size_exceeded": True}


async def test_content_that_is_missing_or_damaged_is_said_so_on_its_item_alone(api: Api, worker: Worker) -> None:
    made = await api.create(*(f"https://s{n}.example/" for n in range(3)), links_on_page={})
    await worker.work()
    path = f"/v1/batches/{made['id']}/items"
    whole = (await api.get(path, formats="html"))["items"]
    lost, cut, _ = sorted(file for file in (api.settings.data_dir / "blobs" / "packs").rglob("*") if file.is_file())
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:-20])
    kind = FAILURES[FailureCode.CONTENT_UNAVAILABLE]
    found = (await api.get(path, formats="html"))["items"]
    assert [item == before for item, before in zip(found, whole, strict=True)].count(True) == 1
    for item, before in zip(found, whole, strict=True):
        if item != before:
            del before["links_on_page"]
            assert item == before | {
                "html_content": None,
                "error": {
                    "code": "content_unavailable",
                    "message": kind.meaning,
                    "retryable": False,
                    "remedy": kind.remedy,
                },
            }
    await api.client.delete(f"/v1/batches/{made['id']}")
    assert (await api.client.get(f"{path}?formats=html")).status_code == 410
