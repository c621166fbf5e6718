"""Parsers of one's own over HTTP: made, listed, versioned, retired, tried on a page, and chosen by batches."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker

from thresher.api import dry_run, workbench
from thresher.convert.document import Source
from thresher.domain.failure import FailureCode
from thresher.storage import parsers
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

SHOP: dict[str, Any] = {
    "description": "A page of a shop",
    "fields": {"name": {"css": "h1", "required": True}, "price": {"css": "b", "type": "number"}},
}
OTHER: dict[str, Any] = {"fields": {"title": "h1"}}
HTML = "<h1>A lamp</h1><p>Only <b>19,90 €</b>"
UNKNOWN = "No parser with this name and/or version found"


async def put(api: Api, name: str, definition: Any) -> dict[str, Any]:
    answer = await api.client.put(f"/v1/parsers/{name}", json=definition)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def refused(api: Api, method: str, path: str, status: int, **more: Any) -> dict[str, Any]:
    answer = await api.client.request(method, path, **more)
    assert answer.status_code == status, answer.text
    problem: dict[str, Any] = answer.json()
    return problem


def places(problem: dict[str, Any]) -> set[str]:
    return {".".join(map(str, error["loc"])) for error in problem["errors"]}


async def test_a_parser_has_versions_of_which_the_same_definition_makes_none(api: Api) -> None:
    for name in ("my-shop", "@acme/my-shop", "%40acme%2Fencoded"):
        made = await put(api, name, SHOP)
        assert (made["version"], made["changed"], made["credits"]) == (1, True, 1)
    assert made["id"] == "@acme/encoded"
    assert [*made["definition"]["fields"]] == ["name", "price"]
    assert made["output_schema"]["properties"]["price"] == {"type": ["number", "null"]}
    assert (await put(api, "my-shop", SHOP))["changed"] is False
    made = await put(api, "my-shop", OTHER)
    assert (made["version"], [one["version"] for one in made["versions"]]) == (2, [2, 1])
    made = await put(api, "my-shop", SHOP)
    assert (made["version"], made["changed"]) == (3, True), "an older one again is a new version"

    assert (await api.get("/v1/parsers/my-shop@2"))["definition"] == OTHER
    shown = await api.get("/v1/parsers/my-shop")
    assert (shown["version"], shown["definition"], shown["title"]) == (3, SHOP, "A page of a shop")
    assert (await api.get("/v1/parsers/@olostep/extract-emails"))["id"] == "@thresher/emails"
    listed = {one["id"]: one for one in (await api.get("/v1/parsers"))["data"]}
    assert [name for name in listed if "version" in listed[name]] == ["@acme/encoded", "@acme/my-shop", "my-shop"]
    assert listed["my-shop"]["version"] == 3

    both = await asyncio.gather(*(put(api, "busy", {"fields": {f"f{n}": "p"}}) for n in range(5)))
    assert {one["version"] for one in both} == {1, 2, 3, 4, 5}


async def test_what_is_no_parser_is_refused_with_every_place(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {"fields": {"a": {"css": "div[", "regex": "(?=x)"}, "b": {"fields": {"c": {"xpath": "//a["}}}}}
    problem = await refused(api, "PUT", "/v1/parsers/my-shop", 400, json=bad)
    assert places(problem) == {"body.fields.a.css", "body.fields.a.regex", "body.fields.b.fields.c.xpath"}
    assert problem["detail"].startswith("fields.a.css: 'div[' is no CSS selector")
    problem = await refused(api, "PUT", "/v1/parsers/my-shop", 400, json={"fields": {"a": {"csss": "p"}}})
    assert places(problem) == {"body.fields.a.csss"}
    for name in ("@thresher/mine", "@olostep/mine", "@thresher/article", "none", "My-Shop", "a@2"):
        assert places(await refused(api, "PUT", f"/v1/parsers/{name}", 400, json=SHOP)) == {"path.parser_id"}
    assert (await refused(api, "PUT", "/v1/parsers/x", 400, content=b"["))["code"] == "validation_error"
    many = b'{"fields": [' + b"[]," * 1_000_000 + b"[]]}"  # some more of them would hold up all requests for seconds
    for method, path in (("PUT", "/v1/parsers/x"), ("POST", "/v1/parsers/dry-run")):
        assert "more than 1000000 arrays and objects" in (await refused(api, method, path, 400, content=many))["detail"]
    page = {"definition": SHOP, "html": "x" * (api.settings.max_body_bytes + 1)}
    assert (
        "html: 20971521 bytes; the limit"
        in (await refused(api, "POST", "/v1/parsers/dry-run", 400, json=page))["detail"]
    )
    monkeypatch.setattr(parsers, "MOST", 1)
    await put(api, "my-shop", SHOP)
    await put(api, "my-shop", OTHER)
    assert "has 1 parsers, the limit" in (await refused(api, "PUT", "/v1/parsers/more", 400, json=SHOP))["detail"]


async def test_a_batch_keeps_the_version_that_it_was_made_with_through_changes_retirement_and_retries(
    api: Api, pool: Pool, stranger: str
) -> None:
    await put(api, "my-shop", SHOP)
    urls = ("https://a.example/1", "https://a.example/2")
    first = await api.create(*urls, parser={"id": "my-shop"})
    await put(api, "my-shop", OTHER)
    second = await api.create(*urls, parser="my-shop")
    older = await api.create(*urls, parser={"id": "my-shop", "version": 1})
    assert [made["parser"] for made in (first, second, older)] == ["my-shop@1", "my-shop@2", "my-shop@1"]
    assert (await api.create(*urls, parser="my-shop@2"))["batch_parser"] == "my-shop@2"

    for chosen in ("shop", "my-shop@3", {"id": "my-shop", "version": 3}, {"id": "my-shop", "version": "new"}):
        body = {"urls": [*urls], "parser": chosen}
        assert UNKNOWN in (await refused(api, "POST", "/v1/batches", 400, json=body))["message"]
    other = {"Authorization": f"Bearer {stranger}"}
    problem = await refused(api, "POST", "/v1/batches", 400, json={"urls": [*urls], "parser": "my-shop"}, headers=other)
    assert (UNKNOWN in problem["detail"], places(problem)) == (True, {"body.parser"})

    theirs = (await api.client.put("/v1/parsers/my-shop", json={"fields": {"theirs": "i"}}, headers=other)).json()
    assert theirs["version"] == 1
    assert (await api.get("/v1/parsers/my-shop@1"))["definition"] == SHOP

    gone = await api.client.delete("/v1/parsers/my-shop")
    assert gone.json() == {"id": "my-shop", "object": "parser", "retired": True, "versions": [1, 2]}
    for method in ("GET", "DELETE"):
        assert (await refused(api, method, "/v1/parsers/my-shop", 404))["code"] == "parser_not_found"
    await refused(api, "POST", "/v1/batches", 400, json={"urls": [*urls], "parser": "my-shop"})
    assert [one for one in (await api.get("/v1/parsers"))["data"] if one["id"] == "my-shop"] == []

    pages = {f"c{n}": Source("https://a.example/", HTML.encode(), "text/html; charset=utf-8") for n in range(2)}
    worker = Worker(pool, Blobs(api.settings.packs_url), sources=pages)
    await worker.work(lambda item: FailureCode.TIMEOUT if item.ord else None)
    assert await json_of(api, first) == [{"name": "A lamp", "price": 19.9}]
    assert await json_of(api, second) == [{"title": "A lamp"}]
    again = (await api.client.post(f"/v1/batches/{first['id']}/retry")).json()
    assert again["parser"] == "my-shop@1"
    await worker.work()
    assert await json_of(api, again) == [{"name": "A lamp", "price": 19.9}]
    assert (await put(api, "my-shop", OTHER))["version"] == 3, "no number is given twice"
    assert (await api.client.delete("/v1/parsers/my-shop@3")).json()["versions"] == [3]


async def test_items_choose_versions_of_their_own_wherever_they_are_given(api: Api, pool: Pool) -> None:
    await put(api, "my-shop", SHOP)
    await put(api, "my-shop", OTHER)
    items = [
        {"url": "https://a.example/0", "custom_id": "c0", "parser": {"id": "my-shop", "version": 1}},
        {"url": "https://a.example/1", "custom_id": "c1"},
        {"url": "https://a.example/2", "custom_id": "c2", "parser": "none"},
    ]
    body = {"items": items, "parser": "my-shop", "open": True}
    batch = (await api.client.post("/v1/batches", json=body)).json()
    more = f"/v1/batches/{batch['id']}/items"
    line = {"url": "https://a.example/3", "custom_id": "c3", "parser": "my-shop@1"}
    kind = {"Content-Type": "application/x-ndjson"}
    assert (await api.client.post(more, content=b"\n" + orjson.dumps(line), headers=kind)).status_code == 200

    wrong = {**line, "parser": "my-shop@9"}
    lines = b"\n\n" + orjson.dumps(wrong)
    assert places(await refused(api, "POST", more, 400, content=lines, headers=kind)) == {"body.line.3.parser"}
    for path in (more, "/v1/batches"):
        problem = await refused(api, "POST", path, 400, json={"items": [items[1], wrong]})
        assert places(problem) == {"body.items.1.parser"}, path
    ask = {"items": [{"url": "x"}, wrong, items[1]]}
    foreseen = (await api.client.post("/v1/batches?dry_run=true", json=ask)).json()
    assert (foreseen["counts"]["refused"], foreseen["counts"]["total"]) == (2, 3)
    await refused(api, "POST", "/v1/batches?dry_run=true", 400, json={**ask, "parser": "my-shop@9"})

    await api.client.post(f"/v1/batches/{batch['id']}/start")
    page = Source("https://a.example/", HTML.encode(), "text/html; charset=utf-8")
    await Worker(pool, Blobs(api.settings.packs_url), sources={f"c{n}": page for n in range(4)}).work()
    answer = await api.client.get(f"/v1/batches/{batch['id']}/export?formats=json")
    again = await api.client.post(f"/v1/batches/{batch['id']}/apply", json={"parser": "my-shop"})
    assert again.json()["parser"] == "my-shop@2"
    await refused(api, "POST", f"/v1/batches/{batch['id']}/apply", 400, json={"parser": "no-shop"})
    made = {row["custom_id"]: row["json"] for row in map(orjson.loads, answer.text.splitlines())}
    whole = orjson.dumps({"name": "A lamp", "price": 19.9}).decode()
    assert made == {"c0": whole, "c1": '{"title":"A lamp"}', "c2": None, "c3": whole}


async def json_of(api: Api, batch: dict[str, Any]) -> list[Any]:
    answer = await api.client.get(f"/v1/batches/{batch['id']}/export?formats=json&status=completed")
    return [orjson.loads(orjson.loads(line)["json"]) for line in answer.text.splitlines()]


async def tried(api: Api, **body: Any) -> dict[str, Any]:
    answer = await api.client.post("/v1/parsers/dry-run", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_dry_run_says_what_a_parser_makes_of_a_page_and_why_it_makes_nothing(api: Api) -> None:
    await put(api, "my-shop", SHOP)
    for chosen in ({"definition": SHOP}, {"parser": "my-shop"}, {"parser": {"id": "my-shop", "version": 1}}):
        found = await tried(api, html=HTML, **chosen)
        assert (found["ok"], found["data"], found["error"]) == (True, {"name": "A lamp", "price": 19.9}, None)
        assert [(one["field"], one["selector"], one["values"]) for one in found["matches"]] == [
            ("name", "h1", 1),
            ("price", "b", 1),
        ]
    found = await tried(api, html="<p>Nothing</p>", parser="my-shop")
    assert (found["ok"], found["data"], found["error"]["code"]) == (False, None, "parser_no_match")
    assert found["error"]["message"] == "name is required, and nothing matches h1"
    assert found["matches"][0]["reason"] == "nothing matches h1"
    linked = {"fields": {"next": {"css": "a", "type": "url"}}}
    found = await tried(api, html="<a href=/x>y</a>", url="https://shop.example/p", definition=linked)
    assert (found["data"], found["url"]) == ({"next": "https://shop.example/x"}, "https://shop.example/p")
    built_in = await tried(api, html="<p>Write to us@barn.example", parser="@olostep/extract-emails")
    assert (built_in["data"], built_in["matches"]) == ({"emails": ["us@barn.example"]}, [])
    assert (await tried(api, html="{}", definition=OTHER))["error"]["code"] == "parser_no_match"

    for body in ({}, {"html": HTML}, {"definition": OTHER}, {"definition": OTHER, "parser": "my-shop", "html": HTML}):
        await refused(api, "POST", "/v1/parsers/dry-run", 400, json=body)
    wrong = {"definition": {"fields": {"a": {"css": "]"}}}, "html": " ", "url": "ftp://x"}
    problem = await refused(api, "POST", "/v1/parsers/dry-run", 400, json=wrong)
    assert places(problem) == {"body.definition.fields.a.css", "body.html", "body.url"}
    problem = await refused(api, "POST", "/v1/parsers/dry-run", 400, json={"parser": "my-shop@9", "html": HTML})
    assert UNKNOWN in problem["detail"]


async def test_a_dry_run_on_a_url_is_fetched_as_any_page_and_says_why_not(
    api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Source("https://shop.example/landed", HTML.encode(), "text/html; charset=utf-8")
    worker = Worker(pool, Blobs(api.settings.packs_url), sources={"dry_run": page})

    async def asked(**fate: FailureCode) -> dict[str, Any]:
        trying = asyncio.create_task(tried(api, definition=SHOP, url="https://shop.example/1"))
        while not (claim := await worker.claim()):
            await asyncio.sleep(0.01)
        await worker.settle(claim, claim.items, lambda _: fate.get("code"))
        await worker.end(claim)
        return await trying

    found = await asked()
    assert (found["ok"], found["data"], found["url"]) == (True, {"name": "A lamp", "price": 19.9}, page.url)
    batch = await api.get(f"/v1/batches/{found['batch_id']}")
    assert (batch["source"], batch["parser"], batch["credits_consumed"]) == ("dry_run", "none", 1)
    found = await asked(code=FailureCode.SITE_BLOCKED)
    assert (found["ok"], found["error"]["code"], found["matches"]) == (False, "site_blocked", [])

    monkeypatch.setattr(dry_run, "SECONDS", 0.05)
    found = await tried(api, definition=SHOP, url="https://shop.example/1")
    assert (found["ok"], found["error"]["code"]) == (False, "deadline")
    assert (await api.get(f"/v1/batches/{found['batch_id']}"))["outcome"] == "cancelled"


async def test_a_server_that_is_busy_or_ends_says_so_and_has_no_converter_left(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tried(api, html=HTML, definition=SHOP)
    bench = api.app.state.workbench
    monkeypatch.setattr(workbench, "LINE", 0.05)
    async with bench._turn:
        answer: httpx.Response = await api.client.post("/v1/parsers/dry-run", json={"html": HTML, "definition": SHOP})
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert answer.json()["detail"].startswith("Others are trying parsers")
    child = bench._converter.pid
    await bench.close()
    assert bench._converter.pid is None
    assert child is not None
    answer = await api.client.post("/v1/parsers/dry-run", json={"html": HTML, "definition": SHOP})
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
