"""GET /v1/retrieve: what was made of an item, in the formats asked for, in every spelling of the question."""

import shutil
from typing import Any

import pytest
from tests.api.conftest import Api
from tests.api.worker import PAGE, Worker

from thresher.domain import ids
from thresher.domain.failure import FailureCode
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

CONTENTS = ("html_content", "markdown_content", "text_content", "json_content")


@pytest.fixture
async def items(api: Api, pool: Pool) -> list[dict[str, Any]]:
    """A completed item and a failed one."""
    made = await api.create("https://a.example/good", "https://a.example/bad")
    worker = Worker(pool, Blobs(api.settings.packs_url))
    await worker.work(lambda item: FailureCode.TIMEOUT if item.ord else None)
    found: list[dict[str, Any]] = (await api.get(f"/v1/batches/{made['id']}/items"))["items"]
    return found


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
        f"{kind}_hosted_url" for kind in ("html", "markdown", "text", "json", "screenshot", "file")
    }


@pytest.mark.parametrize(
    "query",
    [
        "formats=html&formats=text",
        "formats[]=html&formats[]=text",
        "formats%5B%5D=html&formats%5B%5D=text",
        "formats=html,text",
        'formats=["html","text"]',
        "formats=%5B%22html%22%2C%20%22text%22%5D",
        "formats=HTML&formats=Text",
        "formats=html&formats=text&formats=screenshot&formats=raw_pdf",
    ],
)
async def test_every_spelling_of_two_formats_gives_these_two(api: Api, items: list[dict[str, Any]], query: str) -> None:
    response = await api.client.get(f"/v1/retrieve?retrieve_id={items[0]['retrieve_id']}&{query}")
    content = response.json()
    assert [name for name in CONTENTS if content[name] is not None] == ["html_content", "text_content"]


@pytest.mark.parametrize(
    "query", ["formats=markdown", "formats[]=markdown", 'formats=["markdown"]', "formats=markdown,"]
)
async def test_a_single_format_gives_it_alone(api: Api, items: list[dict[str, Any]], query: str) -> None:
    content = (await api.client.get(f"/v1/retrieve?retrieve_id={items[0]['retrieve_id']}&{query}")).json()
    assert [name for name in CONTENTS if content[name] is not None] == ["markdown_content"]


@pytest.mark.parametrize("query", ["formats=", "formats[]=", "formats=[]", "", "formats"])
async def test_empty_formats_are_all_formats(api: Api, items: list[dict[str, Any]], query: str) -> None:
    content = (await api.client.get(f"/v1/retrieve?retrieve_id={items[0]['retrieve_id']}&{query}")).json()
    assert [name for name in CONTENTS if content[name] is not None] == list(CONTENTS[:3])


@pytest.mark.parametrize("query", ["formats=gif", "formats=html,gif", 'formats=["html"', "formats=[1]", "formats=[[]]"])
async def test_an_unknown_format_is_refused_by_name(api: Api, items: list[dict[str, Any]], query: str) -> None:
    response = await api.client.get(f"/v1/retrieve?retrieve_id={items[0]['retrieve_id']}&{query}")
    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert "format" in response.json()["detail"]


async def test_a_failed_item_answers_with_its_error_and_no_content(api: Api, items: list[dict[str, Any]]) -> None:
    content = await api.get("/v1/retrieve", retrieve_id=items[1]["retrieve_id"])
    assert content["success"] is False
    assert content["error"]["code"] == "timeout"
    assert [content[name] for name in CONTENTS] == [None] * 4
    assert content["links_on_page"] == []


async def test_an_unfinished_item_is_not_found_and_said_to_be_unfinished(api: Api, pool: Pool) -> None:
    await api.create("https://a.example/")
    async with pool.acquire() as connection:
        key = await connection.fetchval("SELECT id FROM batch")
    unfinished = ids.retrieve_id(api.app.state.thresher.secret, key, 0)
    response = await api.client.get("/v1/retrieve", params={"retrieve_id": unfinished})
    assert (response.status_code, response.json()["code"]) == (404, "content_not_found")
    assert "not finished" in response.json()["detail"]


@pytest.mark.parametrize("text", ["ret_123", "x", "ret_" + "a" * 26, "ret_" + "\u0131" * 26, "\0", "ret_" + "é" * 26])
async def test_an_unknown_retrieve_id_is_not_found(api: Api, text: str) -> None:
    response = await api.client.get("/v1/retrieve", params={"retrieve_id": text})
    assert (response.status_code, response.json()["code"]) == (404, "content_not_found")
    assert response.json()["detail"] == "Content not found for the provided retrieve_id"


@pytest.mark.parametrize("path", ["/v1/retrieve", "/v1/retrieve?retrieve_id=", "/v1/retrieve?formats=html"])
async def test_a_missing_retrieve_id_is_refused(api: Api, path: str) -> None:
    response = await api.client.get(path)
    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert response.json()["detail"] == "retrieve_id is required"


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
