"""Parsers over HTTP: listed, chosen by a batch, and their results wherever a result is read."""

from typing import Any

import jsonschema_rs
import orjson
import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker
from tests.support.plugins import installed

from thresher.convert.document import Source
from thresher.domain import credit, parsers
from thresher.domain.failure import FailureCode
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

PAGE = b'<title>Us</title><p>Write to us@barn.example, or to <a href="mailto:You@barn.example">you</a>.</p>'
EMAILS = ["You@barn.example", "us@barn.example"]


async def test_every_parser_is_listed_with_its_schema_and_its_price(api: Api) -> None:
    listed = await api.get("/v1/parsers")
    assert listed["object"] == "list"
    assert {one["id"]: one["output_schema"] for one in listed["data"]} == {
        name: parser.schema for name, parser in parsers.PARSERS.items()
    }
    for one in listed["data"]:
        assert (one["object"], one["credits"]) == ("parser", credit.price({"parser": one["id"]}))
        assert one["title"]
    assert {name for one in listed["data"] for name in (one["id"], *one["aliases"])} == set(parsers.NAMES)


@pytest.mark.parametrize("name", ["@thresher/emails", "@olostep/extract-emails"])
async def test_what_a_parser_made_is_the_json_of_an_item_wherever_it_is_read(api: Api, pool: Pool, name: str) -> None:
    chosen = {"id": name, "version": "0.0.1"} if name.startswith("@olostep") else name
    made = await api.create("https://a.example/", parser=chosen)
    assert (made["parser"], made["batch_parser"]) == (name, name)
    sources = {"c0": Source("https://a.example/", PAGE, "text/html")}
    await Worker(pool, Blobs(api.settings.packs_url), sources=sources).work()
    batch = await api.get(f"/v1/batches/{made['id']}")
    assert (batch["parser"], batch["credits_consumed"]) == (name, 1)

    (item,) = (await api.get(f"/v1/batches/{made['id']}/items", formats="json"))["items"]
    content = await api.get("/v1/retrieve", retrieve_id=item["retrieve_id"])
    exported = await api.client.get(f"/v1/batches/{made['id']}/export?formats=json")
    hosted = await api.client.get(content["json_hosted_url"])
    assert isinstance(content["json_content"], str)  # that is what the SDKs read
    assert item["json_content"] == content["json_content"] == orjson.loads(exported.text)["json"] == hosted.text
    value: Any = orjson.loads(hosted.content)
    assert value == {"emails": EMAILS}
    jsonschema_rs.validate(parsers.PARSERS["@thresher/emails"].schema, value)
    assert content["markdown_content"].startswith("Write to us@barn.example")


async def test_parsers_of_packages_are_listed_with_theirs_and_priced_as_they_say(api: Api) -> None:
    with installed("good", "bad"):
        listed = (await api.get("/v1/parsers"))["data"]
        added = [(one["id"], one["package"], one["credits"]) for one in listed if one["source"] == "plugin"]
        assert added == [
            ("@acme/headings", "acme-barn 1.2", 2),
            ("@acme/whims", "acme-weeds 0.1", 1),
            ("@acme/nowhere", "acme-weeds 0.1", 1),
        ]
        assert {one["package"] for one in listed if one["source"] == "built_in"} == {None}
        made = await api.create("https://a.example/", "https://b.example/", parser="@acme/headings")
        assert made["parser"] == "@acme/headings"
        assert (await api.get("/v1/account"))["credits"]["reserved"] == 4
    refused = await api.client.post("/v1/batches", json={"urls": ["https://a.example/"], "parser": "@acme/headings"})
    assert refused.status_code == 400
    assert "No parser with this name and/or version found" in refused.json()["message"]


async def test_a_batch_says_of_how_many_of_its_pages_the_parser_made_something(api: Api, pool: Pool) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(5)), parser="@thresher/product")
    assert made["parser_stats"] == {"tried": 0, "matched": 0, "no_match": 0, "failed": 0, "rate": None}
    codes = [FailureCode.PARSER_NO_MATCH, FailureCode.PARSER_NO_MATCH, FailureCode.PARSER_FAILED, FailureCode.TIMEOUT]
    fates = {f"c{n}": code for n, code in enumerate(codes)}
    await Worker(pool, Blobs(api.settings.packs_url)).work(lambda item: fates.get(item.custom_id))
    done = await api.get(f"/v1/batches/{made['id']}")
    assert done["parser_stats"] == {"tried": 4, "matched": 1, "no_match": 2, "failed": 1, "rate": 0.25}
    assert (done["counts"]["completed"], done["counts"]["failed"]) == (1, 4)
    again = (await api.client.post(f"/v1/batches/{made['id']}/retry")).json()
    assert again["parser_stats"]["tried"] == 0, "a retry has its own"
    assert "parser_stats" not in await api.create("https://b.example/")
