"""The unmodified clients, as installed from the package index, drive a real server: `olostep` and `langchain-olostep`."""

import asyncio
import contextlib
import json
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from aiohttp import web
from tests.acceptance.served import KEY, Served
from tests.serve.conftest import private_room
from tests.support.origin import Origin

from thresher.domain import ids
from thresher.domain.scopes import Scope
from thresher.storage import accounts, keys

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the clients' own imports
    import olostep.errors as errors
    from langchain_core.exceptions import LangChainException
    from langchain_olostep import answer_question, crawl_website, extract_urls, scrape_batch, scrape_website, tools
    from olostep import AsyncOlostep, Olostep, RetryStrategy
    from olostep.backend.transport import HttpxTransport

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The SDK warns once a call about members that its models do not know; the specification itself has such members.
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning"),
]

REQUEST_BYTES = 100_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(origin: Origin) -> AsyncIterator[Served]:
    """One for all tests of this module: each makes batches of its own."""
    settings = {
        **origin.environment,
        "THRESHER_MAX_REQUEST_BYTES": str(REQUEST_BYTES),
        "THRESHER_REQUESTS_PER_MINUTE": "5000",
    }
    with private_room() as room:
        async with Served(room / "data", settings) as running:
            yield running


@pytest.fixture(autouse=True)
def quiet_sdk() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the SDK's own transport
        yield


class Counted(HttpxTransport):
    """The SDK's transport, which tells how often it was asked."""

    requests = 0

    async def request(self, request: Any) -> Any:
        self.requests += 1
        return await super().request(request)


def connected(server: Served, key: str = KEY, times: int = 1) -> AsyncOlostep:
    """The SDK's client, which sends a request up to so many times."""
    retry = RetryStrategy(max_retries=times, initial_delay=0.01)
    return AsyncOlostep(api_key=key, retry_strategy=retry, _base_url=f"{server.url}/v1", _transport=Counted(key))


async def test_the_sdk_creates_waits_iterates_and_retrieves(server: Served, origin: Origin) -> None:
    urls = [f"http://h{n}.example/page/token{n}" for n in range(7)] + ["http://h0.example/status/404/x"]
    async with AsyncOlostep(api_key=KEY, _base_url=f"{server.url}/v1") as client:
        batch = await client.batches.create(
            [{"url": url, "custom_id": f"id-{n}"} for n, url in enumerate(urls)],
            country="de",
            parser="none",
            links_on_page={"absolute_links": True, "include_links": ["/next/**"], "query_to_order_links_by": "next"},
        )
        assert (batch.country, batch.total_urls, str(batch)) == ("DE", 8, f"Batch {batch.id} [in_progress] 0/8")
        await batch.wait_till_done(check_every_n_secs=0.1)
        info = await client.batches.info(batch.id)
        assert (info.status, info.total_urls, info.completed_urls) == ("completed", 8, 7)
        assert (info.country, info.age.endswith("ago")) == ("DE", True)
        items = {item.custom_id: item async for item in batch.items(batch_size=3)}
        assert {key: item.url for key, item in items.items()} == {f"id-{n}": url for n, url in enumerate(urls)}
        for n in range(7):
            both = await items[f"id-{n}"].retrieve(["html", "markdown"])
            assert f"<b>token{n}</b>" in both.html_content
            assert f"# Page token{n}" in both.markdown_content
        everything = await items["id-0"].retrieve()
        assert "The token is token0." in everything.text_content
        assert everything.success
        retrieve_id = items["id-0"].retrieve_id
        for formats, given in (
            ("html", {"html"}),
            (["markdown"], {"markdown"}),
            (["html", "json"], {"html"}),
            (None, {"html", "markdown", "text"}),
        ):
            found = await client.retrieve(retrieve_id, formats)
            assert {name for name in ("html", "markdown", "text") if hasattr(found, f"{name}_content")} == given
        failed = [item async for item in batch.items(status="failed")]
        assert [item.custom_id for item in failed] == ["id-7"]
        gone = await failed[0].retrieve(["markdown"])
        assert getattr(gone, "markdown_content", None) is None  # the SDK leaves out what is null
        done = client.batches.items(batch.id, status="completed", batch_size=4, wait_for_completion=False)
        assert {item.custom_id async for item in done} == items.keys() - {"id-7"}


async def test_the_sdk_has_what_a_parser_made_of_each_page(server: Served, origin: Origin) -> None:
    async with connected(server) as client:
        batch = await client.batches.create(["http://a.example/page/rye"], parser="@olostep/extract-emails")
        links = await client.batches.create(["http://a.example/page/oats"], parser="@thresher/links")
        found = {}
        for made in (batch, links):
            await made.wait_till_done(check_every_n_secs=0.1)
            (item,) = [item async for item in made.items()]
            found[made.id] = (await item.retrieve(["json"])).json_content
    assert found[batch.id] == {"emails": []}
    assert found[links.id]["links"][1] == {"href": "http://a.example/next/oats", "text": "Next", "rel": []}


async def test_the_sdk_reads_a_batch_of_which_a_part_are_files(server: Served) -> None:
    sent = {"file": ("prices.csv", b"lamp,19\ndesk,99\n"), "purpose": (None, "parse")}
    file = (await server.http.post("/api/v1/beta/files", files=sent)).json()
    items = [{"url": "http://a.example/page/oak", "custom_id": "url"}, {"file_id": file["id"], "custom_id": "file"}]
    made = (await server.http.post("/v1/batches", json={"items": items})).json()
    async with connected(server) as client:
        found = {item.custom_id: item async for item in client.batches.items(made["id"])}  # which waits for its end
        content = await found["file"].retrieve(["markdown"])
    assert {name: item.url for name, item in found.items()} == {
        "url": "http://a.example/page/oak",
        "file": f"file:{file['id']}",
    }
    assert content.markdown_content.startswith("| lamp | 19 |")


async def test_the_sdk_reads_a_batch_while_it_runs(server: Served, origin: Origin) -> None:
    """Items without ids of the caller's own, and the wait that ends before the batch does."""
    async with connected(server) as client:
        batch = await client.batches.create(["http://a.example/page/one", "http://b.example/hold/two"])
        await server.until_completed(batch.id, at_least=1)
        (item,) = [item async for item in batch.items(wait_for_completion=False)]
        assert item.custom_id.startswith("auto_")
        with pytest.raises(errors.OlostepClientError_Timeout):
            await batch._wait_till_done_(client._caller, batch.id, check_every_n_secs=0.1, timeout_seconds=0)
        origin.release.set()
        await batch.wait_till_done(check_every_n_secs=0.1)
        assert (await batch.info()).completed_urls == 2


def blocking_job(url: str, pages: list[str]) -> dict[str, str]:
    client = Olostep(api_key=KEY, _base_url=f"{url}/v1")
    try:
        batch = client.batches.create(pages, country="FR", links_on_page={})
        batch.wait_till_done(check_every_n_secs=0.1)
        assert client.batches.info(batch.id).completed_urls == len(pages)
        one, *_ = batch.items(status="completed", batch_size=1)
        assert client.retrieve(one.retrieve_id, "html").html_content
        with pytest.raises(errors.OlostepServerError_ResourceNotFound):
            client.batches.info("batch_0000000000")
        return {item.url: item.retrieve(["markdown"]).markdown_content for item in batch.items()}
    finally:
        client.close()


async def test_the_blocking_sdk_does_the_same(server: Served) -> None:
    pages = ["http://a.example/page/one", "http://b.example/gzip/two"]
    found = await asyncio.to_thread(blocking_job, server.url, pages)
    assert {url: "The token is **" in markdown for url, markdown in found.items()} == dict.fromkeys(pages, True)


async def test_the_sdk_raises_what_it_documents_for_every_refusal(server: Served) -> None:
    page = "http://a.example/page/one"
    async with connected(server) as client, connected(server, "thr_nobody") as stranger:
        create, info = client.batches.create, client.batches.info

        async def listed(batch_id: str) -> list[Any]:
            return [item async for item in client.batches.items(batch_id, wait_for_completion=False)]

        unknown = "batch_0000000000"
        made = await create(page)
        await made.wait_till_done(check_every_n_secs=0.1)
        (item,) = await listed(made.id)
        assert (await server.http.delete(f"/v1/batches/{made.id}")).status_code == 200
        refused = [
            (errors.OlostepServerError_RequestUnprocessable, create("http://user:word@a.example/")),
            (errors.OlostepServerError_RequestUnprocessable, create("ftp://a.example/", validate_request=False)),
            (errors.OlostepServerError_RequestUnprocessable, create(page, country="XX", validate_request=False)),
            (errors.OlostepServerError_ParserNotFound, create(page, parser="@olostep/no-such-parser")),
            (errors.OlostepServerError_AuthFailed, stranger.batches.create(page)),
            (errors.OlostepServerError_AuthFailed, stranger.batches.info(made.id)),
            (errors.OlostepServerError_ResourceNotFound, info(unknown)),
            (errors.OlostepServerError_ResourceNotFound, listed(unknown)),
            (errors.OlostepServerError_ResourceNotFound, client.retrieve("ret_unknown")),
            (errors.OlostepServerError_UnknownIssue, info(made.id)),  # 410: purged
            (errors.OlostepServerError_UnknownIssue, item.retrieve()),
            (errors.OlostepServerError_UnknownIssue, create([f"{page}?{n:099}" for n in range(1000)])),  # 413
        ]
        for kind, call in refused:
            with pytest.raises(kind) as caught:
                await call
            assert type(caught.value) is kind, f"{kind.__name__}: {caught.value!r}"


async def test_the_sdk_raises_what_it_documents_for_what_an_account_or_a_key_may_not(server: Served) -> None:
    pages = ["http://a.example/page/one", "http://b.example/page/two"]
    async with server.database() as connection:
        account = await accounts.create(connection, "poor", grant=1)
        assert account is not None
        for key, scopes in (("thr_poor", ()), ("thr_reader", (Scope.READ,)), ("thr_busy", ())):
            await keys.create(connection, account, key, key, scopes=scopes)
    async with connected(server, "thr_poor") as poor, connected(server, "thr_reader") as reader:
        with pytest.raises(errors.OlostepServerError_CreditsExhausted, match="2 credits"):
            await poor.batches.create(pages)
        made = await poor.batches.create(pages[:1])
        assert (await reader.batches.info(made.id)).total_urls == 1
        with pytest.raises(errors.OlostepServerError_FeatureApprovalRequired):
            await reader.batches.create(pages[:1])
    async with connected(server, "thr_busy") as busy, server.database() as connection:
        await busy.batches.info(made.id)
        await connection.execute(
            "UPDATE request_pace SET due = now() + interval '1 hour' WHERE key_hash = $1", ids.key_hash("thr_busy")
        )
        with pytest.raises(errors.OlostepServerError_UnknownIssue, match="rate_limit_exceeded"):
            await busy.batches.info(made.id)


async def test_the_sdk_under_an_idempotency_key_makes_one_batch(server: Served) -> None:
    """It sends none by itself; its HTTP client can be given one."""
    page, other = "http://a.example/page/one", "http://a.example/page/two"
    async with connected(server) as client, server.database() as connection:
        headers = client._transport._client.headers
        headers["Idempotency-Key"] = "one"
        items = [{"url": page, "custom_id": "a"}]
        made = await client.batches.create(items)
        assert (await client.batches.create(items)).id == made.id
        with pytest.raises(errors.OlostepServerError_UnknownIssue, match="idempotency_key_reuse"):
            await client.batches.create(other)
        headers["Idempotency-Key"] = "two"
        async with connection.transaction():
            await connection.execute(
                "SELECT pg_advisory_xact_lock(3, hashtext(min(id) || ' ' || 'two')) FROM account"
            )  # as the first request under the key holds it
            with pytest.raises(errors.OlostepServerError_UnknownIssue, match="idempotency_key_in_progress"):
                await client.batches.create(items)
        assert (await client.batches.create(items)).id != made.id


async def test_the_sdk_repeats_what_it_takes_for_passing(server: Served) -> None:
    for kind, call, times in (
        (errors.OlostepServerError_RequestUnprocessable, lambda c: c.batches.create("http://u:p@a.example/"), 3),
        (errors.OlostepServerError_ResourceNotFound, lambda c: c.batches.info("batch_0000000000"), 1),
    ):
        async with connected(server, times=3) as client:
            with pytest.raises(kind):
                await call(client)
            assert client._transport.requests == times


async def test_plain_http_gives_text_links_and_metadata(server: Served, origin: Origin) -> None:
    batch = await server.create(["http://a.example/redirect/2/token"])
    await server.until_completed(batch["id"])
    (item,) = await server.items(batch["id"])
    answer = (
        await server.http.get("/v1/retrieve", params={"retrieve_id": item["retrieve_id"], "formats": "text"})
    ).json()
    assert "The token is token." in answer["text_content"]
    assert answer["html_content"] is None
    assert answer["links_on_page"] == ["http://a.example/", "http://a.example/next/token"]
    assert answer["page_metadata"]["title"] == "Page token"
    assert answer["page_metadata"]["status_code"] == 200


async def test_a_batch_can_be_read_the_moment_it_is_created(server: Served, origin: Origin) -> None:
    created = await asyncio.gather(*(server.create([f"http://a.example/hold/{n}"]) for n in range(20)))
    for batch in created:
        assert (await server.info(batch["id"]))["total_urls"] == 1


@pytest.fixture
def langchain(server: Served, monkeypatch: pytest.MonkeyPatch) -> type[tools.OlostepClient]:
    """langchain-olostep's client, whose base URL is an attribute, at the server; its tools make one of it."""

    class Here(tools.OlostepClient):
        def __init__(self, api_key: str | None = None) -> None:
            super().__init__(api_key)
            self.base_url = f"{server.url}/v1"

    monkeypatch.setattr(tools, "OlostepClient", Here)
    return Here


async def test_langchain_starts_a_batch(server: Served, langchain: type[tools.OlostepClient]) -> None:
    pages = ["http://a.example/page/one", "http://b.example/page/two"]
    asked = {"urls": pages, "format": "markdown", "country": "it", "wait_before_scraping": 500, "api_key": KEY}
    told = json.loads(await asyncio.to_thread(scrape_batch.invoke, asked))
    assert (told["status"], told["total_urls"], told["urls"]) == ("in_progress", 2, pages)
    done = await server.until_completed(told["batch_id"])
    assert (done["outcome"], done["country"]) == ("all_ok", "IT")
    items = await server.items(told["batch_id"])
    assert {item["custom_id"]: item["url"] for item in items} == {"url_0": pages[0], "url_1": pages[1]}


async def test_langchain_says_what_the_server_refuses_and_what_it_does_not_have(
    server: Served, langchain: type[tools.OlostepClient]
) -> None:
    page = "http://a.example/page/one"
    for tool, asked, status in (
        (scrape_batch, {"urls": ["ftp://a.example/"]}, "400 Client Error: Bad Request"),
        (scrape_batch, {"urls": [page], "api_key": "thr_nobody"}, "401 Client Error: Unauthorized"),
        (scrape_batch, {"urls": [page], "parser": "@olostep/amazon-product"}, "400 Client Error: Bad Request"),
        (scrape_website, {"url": page}, "404 Client Error: Not Found"),
        (extract_urls, {"url": page}, "404 Client Error: Not Found"),
        (crawl_website, {"start_url": page}, "404 Client Error: Not Found"),
        (answer_question, {"task": "Where?"}, "404 Client Error: Not Found"),
    ):
        with pytest.raises(LangChainException, match=f"{status} for url: {server.url}/v1/"):
            await asyncio.to_thread(tool.invoke, {"api_key": KEY, **asked})
    with pytest.raises(LangChainException, match="404 Client Error"):
        await asyncio.to_thread(langchain(KEY).get_crawl_status, "crawl_1")
    for path in ("scrapes", "maps", "crawls", "answers"):
        answer = await server.http.post(f"/v1/{path}", json={"url": page})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_real_pages_come_out_as_markdown(server: Served, corpus: Path) -> None:
    pages = sorted((corpus / "pages").glob("*.html.gz"))

    async def page(request: web.Request) -> web.Response:
        body = pages[int(request.match_info["number"])].read_bytes()
        return web.Response(body=body, headers={"Content-Type": "text/html", "Content-Encoding": "gzip"})

    app = web.Application()
    app.router.add_get(r"/{number:\d+}", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        batch = await server.create([f"http://127.0.0.1:{port}/{n}" for n in range(len(pages))])
        done = await server.until_completed(batch["id"])
        assert (done["completed_urls"], done["outcome"]) == (len(pages), "all_ok")
        for item in await server.items(batch["id"]):
            answer = (await server.http.get("/v1/retrieve", params={"retrieve_id": item["retrieve_id"]})).json()
            assert len(answer["markdown_content"]) > 100
            assert len(answer["html_content"]) > len(answer["text_content"]) > 50
    finally:
        await runner.cleanup()


async def forever(call: Any, *args: Any) -> None:
    while True:
        await call(*args)


async def test_the_sdk_meets_a_database_that_is_away_and_goes_on_when_it_is_back(server: Served) -> None:
    """The last test of those that share the server."""
    async with connected(server) as client:
        made = await client.batches.create("http://a.example/page/one")
        for process in server.processes("postgres"):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        with pytest.raises(errors.OlostepServerError_UnknownIssue, match="HTTP: 503"):
            await forever(client.batches.info, made.id)  # a process that is killed ends a moment later
        await server.until_completed(made.id)
        assert (await client.batches.info(made.id)).completed_urls == 1
