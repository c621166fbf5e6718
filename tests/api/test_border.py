"""The border: every failure is a problem in one form, bodies are bounded, requests can be traced."""

import asyncio
import html
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.api.conftest import KEY, Api, running, settings_for

from thresher.domain.problem import PROBLEMS
from thresher.settings import Settings


async def test_an_unknown_path_is_a_problem_with_every_member(api: Api) -> None:
    response = await api.client.get("/v1/nothing")
    problem = response.json()
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert problem.pop("id").startswith("error_")
    assert abs(problem.pop("created") - time.time()) < 60
    assert problem == {
        "object": "error",
        "code": "not_found",
        "type": "http://thresher.test/docs/problems/not_found",
        "status": 404,
        "title": "Not Found",
        "detail": "There is nothing at this path.",
        "message": "There is nothing at this path.",
        "metadata": {},
        "errors": [],
        "remedy": "Check the path; /docs lists what there is.",
    }


# What FastAPI, Starlette and our own routes refuse, each in a way of its own.
REFUSED = [
    ("GET", "/nothing", 404),
    ("GET", "/docs/assets/nothing.js", 404),
    ("GET", "/docs/problems/nothing", 404),
    ("POST", "/docs/assets/swagger-ui.css", 405),
    ("OPTIONS", "/v1/batches", 405),
    ("TRACE", "/healthz", 405),
    ("PROPFIND", "/", 405),
    ("GET", "/v1/batches/batch_nothing", 404),
    ("GET", "/v1/batches/batch_nothing/items?limit=many", 400),
    ("GET", "/v1/retrieve", 400),
    ("POST", "/v1/batches", 400),
]


@pytest.mark.parametrize(("method", "path", "status"), REFUSED)
async def test_every_refusal_is_a_problem_whose_type_leads_to_a_page_that_explains_it(
    api: Api, method: str, path: str, status: int
) -> None:
    response = await api.client.request(method, path, headers={"X-Request-Id": "r1"})
    assert (response.status_code, response.headers["X-Request-Id"]) == (status, "r1")
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem.keys() >= {"id", "object", "code", "type", "status", "title", "detail", "created", "metadata"}
    assert (problem["object"], problem["status"], problem["message"]) == ("error", status, problem["detail"])
    page = await api.client.get(problem["type"])
    assert page.status_code == 200
    for text in (problem["code"], problem["title"], problem["remedy"].split("`")[0]):
        assert html.escape(text) in page.text


async def test_every_problem_has_a_page_and_there_is_one_of_all(api: Api) -> None:
    pages = {kind.slug: (await api.client.get(f"/docs/problems/{kind.slug}")).text for kind in PROBLEMS.values()}
    everything = (await api.client.get("/docs/problems")).text
    for code, kind in PROBLEMS.items():
        for text in (pages[kind.slug], everything):
            assert f"<code>{code}</code> ({kind.status} {kind.title})" in text


async def test_the_public_url_is_used_when_it_is_set(api_settings: Settings) -> None:
    public = settings_for(str(api_settings.database_url), api_settings.data_dir, public_url="https://t.example/base/")
    async with running(public) as api:
        problem = (await api.client.get("/nothing")).json()
        assert problem["type"] == "https://t.example/base/docs/problems/not_found"


async def test_a_wrong_method_is_answered_with_the_right_ones(api: Api) -> None:
    response = await api.client.delete("/v1/batches")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "POST"
    # Two routes have this path, and the framework knows of the first one only.
    assert set((await api.client.put("/v1/batches/batch_x/items")).headers["Allow"].split(", ")) == {"GET", "POST"}
    assert (await api.client.put("/v1/batches/recent")).headers["Allow"] == "GET"
    assert (await api.client.put("/v1/hosted/x/page.html")).headers["Allow"] == "GET, HEAD"
    assert (await api.client.post("/docs/assets/swagger-ui.css")).headers["Allow"] == "GET, HEAD"


async def test_a_range_of_a_file_is_the_whole_of_it(api: Api) -> None:
    path = "/docs/assets/swagger-ui.css"
    whole = (await api.client.get(path)).content
    for wanted in ("bytes=0-9", "bytes=999999999-", "bytes=x"):
        response = await api.client.get(path, headers={"Range": wanted})
        assert (response.status_code, response.content) == (200, whole)


async def test_a_request_that_the_end_of_the_server_cuts_off_is_told_so(api: Api) -> None:
    read = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        read.set()
        await asyncio.Event().wait()

    for closing in (True, False):
        read.clear()
        cut = asyncio.create_task(api.client.post("/v1/batches", content=endless(), headers={"X-Request-Id": "r1"}))
        await read.wait()
        api.app.state.closing = lambda answer=closing: answer
        cut.cancel()
        if not closing:  # it was not the server who ended it
            with pytest.raises(asyncio.CancelledError):
                await cut
            return
        response = await cut
        assert (response.status_code, response.headers["Content-Type"]) == (503, "application/problem+json")
        assert (response.headers["Connection"], response.headers["X-Request-Id"]) == ("close", "r1")
        assert response.json()["code"] == "service_unavailable"


async def test_a_slash_too_many_is_not_a_redirect(api: Api) -> None:
    assert (await api.client.post("/v1/batches/", json={})).status_code == 404


@pytest.mark.parametrize(
    "batch", ["batch_nothing", "%00", "x" * 3000, "batch_%F0%9F%92%A9", "batch_A", "..%2f..", "batch_x%0A"]
)
async def test_an_unknown_batch_is_not_found_whatever_its_name(api: Api, batch: str) -> None:
    for path in (f"/v1/batches/{batch}", f"/v1/batches/{batch}/items"):
        response = await api.client.get(path)
        assert response.status_code == 404
        assert response.json()["code"] in ("batch_not_found", "not_found")


async def test_a_request_id_is_given_back_and_made_when_absent_or_unfit(api: Api) -> None:
    for path in ("/healthz", "/v1/nothing"):
        assert (await api.client.get(path, headers={"X-Request-Id": "my-id.1"})).headers["X-Request-Id"] == "my-id.1"
        assert len((await api.client.get(path)).headers["X-Request-Id"]) == 32
        assert len((await api.client.get(path, headers={"X-Request-Id": "x" * 200})).headers["X-Request-Id"]) == 32


@pytest.fixture
async def narrow(api_settings: Settings) -> AsyncIterator[Api]:
    """An API that takes bodies of 2,000 bytes."""
    settings = settings_for(str(api_settings.database_url), api_settings.data_dir, max_request_bytes=2000)
    async with running(settings) as api:
        yield api


async def test_a_body_too_large_by_its_length_is_refused_with_the_limit(narrow: Api) -> None:
    response = await narrow.client.post("/v1/batches", content=b"x" * 2001)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert "2000 bytes" in response.json()["detail"]
    assert (await narrow.client.post("/v1/batches", content=b"x" * 2000)).status_code == 400


async def test_a_body_that_grows_too_large_is_cut_while_it_streams(narrow: Api) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 500
            yield b"x" * 500

    response = await narrow.client.post("/v1/batches", content=endless())
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert sent <= 3000


async def test_a_compressed_body_is_refused(api: Api) -> None:
    for coding, status in (("gzip", 415), ("br", 415), ("identity", 400)):
        response = await api.client.post("/v1/batches", content=b"{}", headers={"Content-Encoding": coding})
        assert response.status_code == status


async def test_a_client_that_goes_away_while_it_sends_is_no_error_of_ours(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        pytest.fail(f"answered: {message}")

    headers = [(b"authorization", b"Bearer " + KEY.encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/batches", "query_string": b"", "headers": headers}
    await api.app(scope, receive, send)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_an_unexpected_error_shows_its_id_and_nothing_of_the_inside(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise RuntimeError("the secret inside")

    api.app.add_api_route("/broken", broken)
    with caplog.at_level(logging.ERROR):
        response = await api.client.get("/broken", headers={"X-Request-Id": "r1"})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (500, "internal_server_error")
    assert "secret" not in response.text
    assert response.headers["X-Request-Id"] == "r1"
    assert problem["id"] in problem["detail"]
    assert problem["id"] in caplog.text
    assert "the secret inside" in caplog.text


async def test_a_database_that_is_away_is_a_503_with_retry_after(api: Api, database_url: str) -> None:
    made = await api.create("https://a.example/")
    state = api.app.state.thresher
    state.pool.terminate()
    for method, path in (("GET", f"/v1/batches/{made['id']}"), ("POST", "/v1/batches")):
        body = {"items": [{"url": "https://a.example"}]}
        response = await api.client.request(method, path, json=body)
        assert (response.status_code, response.json()["code"]) == (503, "service_unavailable")
        assert int(response.headers["Retry-After"]) > 0
    ready = await api.client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["code"] == "service_unavailable"
    assert ready.json()["dependencies"]["blobs"] == "ok"
    assert ready.json()["dependencies"]["database"] != "ok"


async def test_connections_that_the_database_drops_are_replaced(api: Api, database_url: str) -> None:
    made = await api.create("https://a.example/")
    state = api.app.state.thresher
    async with state.connection() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(Exception, match="terminat"):
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    seen = set()
    for _ in range(3):
        seen.add((await api.client.get(f"/v1/batches/{made['id']}")).status_code)
    assert seen <= {200, 503}
    assert 200 in seen


async def test_health_needs_no_key_and_readiness_names_each_dependency(api: Api) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://thresher.test") as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["dependencies"]) == (200, {"database": "ok", "blobs": "ok"})


async def test_a_store_that_takes_no_writes_is_named(api_settings: Settings, tmp_path: Any) -> None:
    blocker = tmp_path / "a-file"
    blocker.write_text("not a folder")
    settings = settings_for(str(api_settings.database_url), tmp_path, blob_url=f"file://{tmp_path}/blobs")
    async with running(settings) as api:
        (tmp_path / "blobs").rmdir()
        blocker.rename(tmp_path / "blobs")
        ready = await api.client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["dependencies"]["database"] == "ok"
        assert "not writable" in ready.json()["dependencies"]["blobs"]


async def test_the_openapi_document_describes_the_routes_their_bodies_and_the_key(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()
    paths = document["paths"]
    assert {"/v1/batches", "/v1/batches/{batch_id}", "/v1/batches/{batch_id}/items", "/v1/retrieve"} <= paths.keys()
    create = paths["/v1/batches"]["post"]
    assert create["requestBody"]["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/CreateBatch"
    assert create["security"] == [{"Authorization": []}]
    assert document["components"]["securitySchemes"]["Authorization"]["scheme"] == "bearer"
    refs = set(_refs(document))
    assert refs
    components = document["components"]
    assert {ref.rpartition("/")[2] for ref in refs} <= components["schemas"].keys() | components["headers"].keys()
    parameters = {p["name"]: p["schema"] for p in paths["/v1/batches/{batch_id}/items"]["get"]["parameters"]}
    assert parameters["cursor"]["type"] == parameters["limit"]["type"] == "integer"
    assert (await api.client.get("/docs")).status_code == 200
    assert KEY not in str(document)


def _refs(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, one in value.items() for text in ([one] if key == "$ref" else _refs(one))]
    return [text for one in value for text in _refs(one)] if isinstance(value, list) else []
