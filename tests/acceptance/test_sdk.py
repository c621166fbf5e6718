"""The unmodified official SDK, as installed from the package index, drives a real server."""

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.acceptance.served import KEY, Served
from tests.support.origin import Origin

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the SDK's own imports
    from olostep import AsyncOlostep, Olostep

# The SDK warns once a call about members that its models do not know; the specification itself has such members.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def quiet_sdk() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the SDK's own transport
        yield


async def test_the_sdk_creates_waits_iterates_and_retrieves(server: Served, origin: Origin) -> None:
    urls = [f"http://h{n}.example/page/token{n}" for n in range(7)] + ["http://h0.example/status/404/x"]
    async with AsyncOlostep(api_key=KEY, _base_url=f"{server.url}/v1") as client:
        batch = await client.batches.create([{"url": url, "custom_id": f"id-{n}"} for n, url in enumerate(urls)])
        await batch.wait_till_done(check_every_n_secs=1)
        info = await batch.info()
        assert (info.status, info.total_urls, info.completed_urls) == ("completed", 8, 7)
        items = {item.custom_id: item async for item in batch.items(batch_size=3)}
        assert {key: item.url for key, item in items.items()} == {f"id-{n}": url for n, url in enumerate(urls)}
        for n in range(7):
            both = await items[f"id-{n}"].retrieve(["html", "markdown"])
            assert f"<b>token{n}</b>" in both.html_content
            assert f"# Page token{n}" in both.markdown_content
            everything = await items[f"id-{n}"].retrieve()
            assert f"The token is token{n}." in everything.text_content
        failed = [item async for item in batch.items(status="failed")]
        assert [item.custom_id for item in failed] == ["id-7"]
        gone = await failed[0].retrieve(["markdown"])
        assert getattr(gone, "markdown_content", None) is None  # the SDK leaves out what is null


def blocking_job(url: str, pages: list[str]) -> dict[str, str]:
    client = Olostep(api_key=KEY, _base_url=f"{url}/v1")
    try:
        batch = client.batches.create(pages)
        batch.wait_till_done(check_every_n_secs=1)
        return {item.url: item.retrieve(["markdown"]).markdown_content for item in batch.items()}
    finally:
        client.close()


async def test_the_blocking_sdk_does_the_same(server: Served, origin: Origin) -> None:
    pages = ["http://a.example/page/one", "http://b.example/gzip/two"]
    found = await asyncio.to_thread(blocking_job, server.url, pages)
    assert {url: "The token is **" in markdown for url, markdown in found.items()} == dict.fromkeys(pages, True)


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
