"""GET /v1/retrieve: what was made of an item, in the formats asked for, in every spelling of the question."""

import shutil
from typing import Any

import orjson
import pytest
from tests.api.conftest import Api, running
from tests.api.worker import PAGE, Worker

from thresher.convert.document import Source
from thresher.domain import ids
from thresher.domain.failure import FailureCode
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

CONTENTS = ("html_content", "markdown_content", "text_content", "json_content")
OBJECT = '{"a": 1.10, "b": "x", "n": 123456789012345678901234567890}'
WIDE = "<title>\U0001f33e</title>" + "".join(
    f"<p>{n} \u00e9\U0001f33e \u5c0f\u9ea6 <a href=/{n}>x</a>" for n in range(100)
)


@pytest.fixture
async def items(api: Api, pool: Pool) -> list[dict[str, Any]]:
    """A page, a failed item, two of JSON, and a page of characters that are not ASCII."""
    made = await api.create(*(f"https://a.example/{name}" for name in ("good", "bad", "object", "list", "wide")))
    url = "https://a.example/x"
    sources = {
        "c2": Source(url, OBJECT.encode(), "application/json"),
        "c3": Source(url, b"[1.10, 2]", "application/json"),
        "c4": Source(url, WIDE.encode(), "text/html; charset=utf-8"),
    }
    worker = Worker(pool, Blobs(api.settings.packs_url), sources=sources)
    await worker.work(lambda item: FailureCode.TIMEOUT if item.ord == 1 else None)
    found: list[dict[str, Any]] = (await api.get(f"/v1/batches/{made['id']}/items"))["items"]
    return sorted(found, key=lambda item: str(item["custom_id"]))


async def test_without_formats_everything_is_there(api: Api, items: list[dict[str, Any]]) -> None:
    content = await api.get("/v1/retrieve", retrieve_id=items[0]["retrieve_id"])
    assert content["html_content"] == PAGE.format(title="c0")
    assert "Hello **c0**" in content["markdown_content"]
    assert "Hello c0" in content["text_content"]
    assert content["json_content"] is None
    assert content["links_on_page"] == ["https://a.example/next"]
    assert (content["success"], content["size_exceeded"]) == (True, False)
    assert (content["url"], content["custom_id"]) == ("https://a.example/good", "c0")
    assert content["page_metadata"]["status_code"] == 200
    assert content["page_metadata"]["title"] == "c0"
    charset = [content["page_metadata"][name] for name in ("charset", "charset_source", "charset_certainty")]
    assert charset == ["utf-8", "header", 1.0]
    assert {name for name in content if name.endswith("_hosted_url") and content[name] is None} == {
        f"{kind}_hosted_url" for kind in ("json", "screenshot", "file")
    }


SPELLINGS = {
    ("html", "text"): (
        "formats=html&formats=text",
        "formats[]=html&formats[]=text",
        "formats%5B%5D=html&formats%5B%5D=text",
        "formats=html,text",
        'formats=["html","text"]',
        "formats=%5B%22html%22%2C%20%22text%22%5D",
        "formats=HTML&formats=Text",
        "formats=html&formats=text&formats=screenshot&formats=raw_pdf",
    ),
    ("markdown",): ("formats=markdown", "formats[]=markdown", 'formats=["markdown"]', "formats=markdown,"),
    ("html", "markdown", "text"): ("formats=", "formats[]=", "formats=[]", "", "formats"),  # empty: whatever there is
    (): ("formats=json", "formats=screenshot"),  # of which there is none
}


async def test_every_spelling_of_formats_gives_these_with_their_urls_and_null_for_the_others(
    api: Api, items: list[dict[str, Any]]
) -> None:
    for formats, queries in SPELLINGS.items():
        for query in queries:
            path = f"/v1/retrieve?retrieve_id={items[0]['retrieve_id']}&{query}"
            content = (await api.client.get(path)).json()
            assert [name for name in CONTENTS if content[name] is not None] == [f"{name}_content" for name in formats]
            hosted = {name for name in content if name.endswith("_hosted_url") and content[name] is not None}
            assert hosted == {f"{name}_hosted_url" for name in formats}, query


async def test_an_unknown_format_is_refused_by_name(api: Api, items: list[dict[str, Any]]) -> None:
    for query in ("formats=gif", "formats=html,gif", 'formats=["html"', "formats=[1]", "formats=[[]]"):
        response = await api.client.get(f"/v1/retrieve?retrieve_id={items[0]['retrieve_id']}&{query}")
        assert (response.status_code, response.json()["code"]) == (400, "validation_error"), query
        assert "format" in response.json()["detail"]


async def test_json_is_a_string_that_holds_an_object_as_it_was_written_or_null(
    api: Api, items: list[dict[str, Any]]
) -> None:
    found = {}
    for item in items:
        content = await api.get("/v1/retrieve", retrieve_id=item["retrieve_id"], formats="json")
        found[item["custom_id"]] = content["json_content"]
        assert (content["json_hosted_url"] is None) == (content["json_content"] is None)
    assert found == {"c0": None, "c1": None, "c2": OBJECT, "c3": '{"data": [1.10, 2]}', "c4": None}
    assert orjson.loads(found["c2"])["b"] == "x"
    batch = (await api.get("/v1/batches/recent"))["data"][0]["id"]
    exported = (await api.client.get(f"/v1/batches/{batch}/export?formats=json")).text.splitlines()
    assert {line["custom_id"]: line["json"] for line in map(orjson.loads, exported)} == found


async def test_windows_of_characters_together_are_the_whole_content(api: Api, items: list[dict[str, Any]]) -> None:
    wide = items[4]["retrieve_id"]
    whole = await api.get("/v1/retrieve", retrieve_id=wide)
    assert "window" not in whole
    text, offset = "", 0
    while offset is not None:
        part = await api.get("/v1/retrieve", retrieve_id=wide, formats=["text", "html"], max_chars=700, offset=offset)
        window = part.pop("window")
        assert (window["offset"], window["max_chars"]) == (offset, 700)
        assert window["total_chars"] == {"html": len(WIDE), "text": len(whole["text_content"])}
        assert part["html_content"] == WIDE[offset:][:700]  # so no character is ever halved
        text += part["text_content"]
        assert part["markdown_content"] is None
        assert part["text_hosted_url"] is not None
        offset = window["next_offset"]["text"]
    assert text == whole["text_content"]


async def test_json_is_in_a_window_whole_or_not_at_all(api: Api, items: list[dict[str, Any]]) -> None:
    chars = len(OBJECT)
    for query, given in (
        ({"max_chars": chars}, OBJECT),
        ({"offset": 0}, OBJECT),  # no end
        ({"max_chars": chars - 1}, None),
        ({"offset": 1, "max_chars": chars}, None),
        ({"offset": 2**31 - 1}, None),
    ):
        content = await api.get("/v1/retrieve", retrieve_id=items[2]["retrieve_id"], **query)
        assert content["json_content"] == given, query
        assert content["json_hosted_url"] is not None
        assert content["window"]["total_chars"]["json"] == chars
        assert content["window"]["next_offset"]["json"] is None
        start, most = int(query.get("offset", 0)), int(query.get("max_chars", chars))
        assert content["text_content"] == OBJECT[start : start + most]


async def test_a_window_that_is_none_is_refused_with_its_limits(api: Api, items: list[dict[str, Any]]) -> None:
    for name, text, least in (
        ("offset", "-1", 0),
        ("offset", "x", 0),
        ("max_chars", "0", 1),
        ("max_chars", str(2**31), 1),
    ):
        answer = await api.client.get("/v1/retrieve", params={"retrieve_id": items[0]["retrieve_id"], name: text})
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert answer.json()["detail"] == f"{name} must be an integer of at least {least} and at most 2147483647"
        assert answer.json()["errors"][0]["loc"] == ["query", name]


async def test_contents_beyond_the_limit_together_are_given_as_urls(
    api: Api, items: list[dict[str, Any]], api_settings: Settings
) -> None:
    wide = items[4]["retrieve_id"]
    whole = await api.get("/v1/retrieve", retrieve_id=wide)
    assert whole["size_exceeded"] is False
    sizes = {name: len(whole[f"{name}_content"].encode()) for name in ("html", "markdown", "text")}
    assert len(WIDE) < sizes["html"]  # bytes are counted, not characters
    limit = sizes["html"] + sizes["text"]
    settings = api_settings.model_copy(update={"max_inline_bytes": limit})
    async with running(settings) as small:
        fits = await small.get("/v1/retrieve", retrieve_id=wide, formats="html,text")
        assert (fits["size_exceeded"], fits["html_content"]) == (False, WIDE)
        over = await small.get("/v1/retrieve", retrieve_id=wide)
        assert over["size_exceeded"] is True
        assert [over[name] for name in CONTENTS] == [None] * 4
        assert [over[f"{name}_hosted_url"] is not None for name in (*sizes, "json")] == [True, True, True, False]
        assert over["links_on_page"] == whole["links_on_page"]
        part = await small.get("/v1/retrieve", retrieve_id=wide, offset=10, max_chars=100)
        assert (part["size_exceeded"], part["html_content"]) == (False, WIDE[10:110])
        too_much = await small.get("/v1/retrieve", retrieve_id=wide, offset=1)
        assert (too_much["size_exceeded"], too_much["text_content"]) == (True, None)
        assert too_much["window"]["next_offset"]["text"] == 1  # nothing of it was given
        page = await small.client.get(over["html_hosted_url"], headers={"Authorization": ""})
        assert page.text == WIDE


async def test_a_failed_item_answers_with_its_error_and_no_content(api: Api, items: list[dict[str, Any]]) -> None:
    content = await api.get("/v1/retrieve", retrieve_id=items[1]["retrieve_id"])
    assert content["success"] is False
    assert content["error"]["code"] == "timeout"
    assert [content[name] for name in CONTENTS] == [None] * 4
    assert all(content[name] is None for name in content if name.endswith("_hosted_url"))
    assert content["links_on_page"] == []


async def test_an_unfinished_item_is_not_found_and_said_to_be_unfinished(api: Api, pool: Pool) -> None:
    await api.create("https://a.example/")
    async with pool.acquire() as connection:
        key = await connection.fetchval("SELECT id FROM batch")
    unfinished = ids.retrieve_id(api.app.state.thresher.secret, key, 0)
    response = await api.client.get("/v1/retrieve", params={"retrieve_id": unfinished})
    assert (response.status_code, response.json()["code"]) == (404, "content_not_found")
    assert "not finished" in response.json()["detail"]


async def test_an_unknown_retrieve_id_is_not_found(api: Api) -> None:
    for text in ("ret_123", "x", "ret_" + "a" * 26, "ret_" + "\u0131" * 26, "\0", "ret_" + "é" * 26):
        response = await api.client.get("/v1/retrieve", params={"retrieve_id": text})
        assert (response.status_code, response.json()["code"]) == (404, "content_not_found")
        assert response.json()["detail"] == "Content not found for the provided retrieve_id"


async def test_a_missing_retrieve_id_is_refused(api: Api) -> None:
    for path in ("/v1/retrieve", "/v1/retrieve?retrieve_id=", "/v1/retrieve?formats=html"):
        response = await api.client.get(path)
        assert (response.status_code, response.json()["code"]) == (400, "validation_error")
        assert response.json()["detail"] == "retrieve_id is required"


async def test_the_links_are_those_that_the_batch_chose(api: Api, pool: Pool) -> None:
    options = {"absolute_links": False, "include_links": ["/1*"], "exclude_links": ["/11"]}
    made = await api.create("https://a.example/", links_on_page=options)
    sources = {"c0": Source("https://a.example/x", WIDE.encode(), "text/html; charset=utf-8")}
    await Worker(pool, Blobs(api.settings.packs_url), sources=sources).work()
    item = (await api.get(f"/v1/batches/{made['id']}/items"))["items"][0]
    content = await api.get("/v1/retrieve", retrieve_id=item["id"], formats="json")
    assert content["links_on_page"] == ["/1", "/10", *(f"/1{n}" for n in range(2, 10))]


async def test_content_that_left_the_store_is_not_found_and_said_so(api: Api, items: list[dict[str, Any]]) -> None:
    shutil.rmtree(api.settings.data_dir / "blobs")
    response = await api.client.get("/v1/retrieve", params={"retrieve_id": items[0]["retrieve_id"]})
    assert (response.status_code, response.json()["code"]) == (404, "content_not_found")
    assert "no longer in the store" in response.json()["detail"]


async def test_a_damaged_pack_is_our_failure_and_is_not_shown(api: Api, items: list[dict[str, Any]]) -> None:
    for pack in (api.settings.data_dir / "blobs" / "packs").rglob("*"):
        if pack.is_file():
            pack.write_bytes(bytes(len(pack.read_bytes())))
    response = await api.client.get("/v1/retrieve", params={"retrieve_id": items[0]["retrieve_id"]})
    assert (response.status_code, response.json()["code"]) == (500, "internal_server_error")
    assert "frame" not in response.text
