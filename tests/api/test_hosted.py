"""Contents by their URLs: without a key, as files, harmless in a browser, gone in time; from here and from S3."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.api.conftest import Api, running
from tests.api.worker import Worker
from tests.support.s3 import S3

from thresher.api import streaming
from thresher.api.olostep import content as contents
from thresher.api.olostep import hosted as route
from thresher.convert.document import Source
from thresher.convert.frame import Frame
from thresher.domain import hosted
from thresher.domain.failure import FailureCode
from thresher.settings import Settings
from thresher.storage import spool
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.purge import purge

OBJECT = '{"a": 1.10, "b": "é"}'
LARGE = "<title>large</title>" + "<p>é wheat and rye</p>" * 60_000


async def made(api: Api, pool: Pool) -> tuple[str, list[dict[str, Any]]]:
    """The id of a batch that is done, and the retrieve replies of its items: JSON, a large page, a failure."""
    batch = (await api.create(*(f"https://a.example/{n}" for n in range(3))))["id"]
    sources = {
        "c0": Source("https://a.example/", OBJECT.encode(), "application/json"),
        "c1": Source("https://a.example/", LARGE.encode("utf-16"), "text/html"),
    }
    worker = Worker(pool, Blobs(api.settings.packs_url), sources=sources)
    await worker.work(lambda item: FailureCode.TIMEOUT if item.ord == 2 else None)
    items = (await api.get(f"/v1/batches/{batch}/items"))["items"]
    found = [await api.get("/v1/retrieve", retrieve_id=item["retrieve_id"]) for item in items]
    return batch, sorted(found, key=lambda content: str(content["custom_id"]))


def signed(api: Api, retrieve_id: str, name: str, now: float) -> str:
    """A URL as this server makes it."""
    return hosted.path(api.app.state.thresher.hosted_secret, retrieve_id, name, now, 60)


async def test_contents_are_served_by_their_urls_alone_as_files_that_can_do_nothing(api: Api, pool: Pool) -> None:
    _, (json, page, _) = await made(api, pool)
    del api.client.headers["Authorization"]
    types = {name: file.media_type for name, file in hosted.FILES.items()}
    for content in (json, page):
        for name in ("html", "markdown", "text", "json"):
            url = content[f"{name}_hosted_url"]
            if content[f"{name}_content"] is None:
                assert url is None
                continue
            assert url.startswith("http://thresher.test/v1/hosted/ret_")
            answer = await api.client.get(url)
            assert (answer.status_code, answer.headers["content-type"]) == (200, types[name])
            assert answer.content.decode() == content[f"{name}_content"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
            assert answer.headers["referrer-policy"] == "no-referrer"
            kind = "attachment" if name == "html" else "inline"
            assert answer.headers["content-disposition"] == f'{kind}; filename="{hosted.FILES[name].name}"'
            head = await api.client.head(url)
            same = ("content-length", "content-type", "etag", "cache-control")
            assert [head.headers[key] for key in same] == [answer.headers[key] for key in same]
            assert (head.status_code, head.content) == (200, b"")
            for tags in (answer.headers["etag"], f'"other", W/{answer.headers["etag"]}', "*"):
                known = await api.client.get(url, headers={"If-None-Match": tags})
                assert (known.status_code, known.content) == (304, b"")
            assert (await api.client.get(url, headers={"If-None-Match": '"other"'})).status_code == 200
    assert len(page["html_content"].encode()) > streaming.SPOOLED  # so it went through a file
    assert len({content[f"{name}_hosted_url"] for content in (json, page) for name in ("html", "text")}) == 4


async def test_a_url_that_is_not_good_says_so_and_no_more(api: Api, pool: Pool) -> None:
    batch, (json, page, failed) = await made(api, pool)
    del api.client.headers["Authorization"]
    url = json["html_hosted_url"]
    expires, signature = (parse_qs(urlsplit(url).query)[name][0] for name in ("expires", "signature"))
    root = f"/v1/hosted/{json['id']}/page.html"
    for path in (
        root,
        f"{root}?expires={expires}",
        f"{root}?signature={signature}",
        f"{root}?expires={int(expires) + 1}&signature={signature}",
        f"{root}?expires={expires}&signature={signature[:-1]}",
        f"{root}?expires={expires}&signature=%C3%A9%00",
        f"/v1/hosted/{page['id']}/page.html?expires={expires}&signature={signature}",
        f"/v1/hosted/{json['id']}/text.txt?expires={expires}&signature={signature}",
        f"/v1/hosted/%00/x?expires={expires}&signature={signature}",
        signed(api, failed["id"], "html", time.time()),  # nothing makes such URLs: there is no content
        signed(api, page["id"], "json", time.time()),
        signed(api, "ret_" + "a" * 26, "html", time.time()),
    ):
        answer = await api.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "content_not_found"), path
        assert answer.headers["content-type"] == "application/problem+json"
    late = await api.client.get(signed(api, json["id"], "html", 1.7e9))
    assert (late.status_code, late.json()["code"]) == (410, "hosted_url_expired")
    assert (await api.client.delete(f"/v1/batches/{batch}", headers={"Authorization": "Bearer thr_tests"})).is_success
    gone = await api.client.get(url)
    assert (gone.status_code, gone.json()["code"], gone.json()["counts"]["total"]) == (410, "batch_purged", 3)


async def test_urls_are_of_the_address_that_the_operator_names(api_settings: Settings, pool: Pool) -> None:
    changes = {"public_url": "https://thresher.example/", "hosted_url_seconds": 80.0}
    async with running(api_settings.model_copy(update=changes)) as api:
        _, (json, _, _) = await made(api, pool)
        url = json["json_hosted_url"]
        assert url.startswith(f"https://thresher.example/v1/hosted/{json['id']}/data.json?expires=")
        again = await api.client.get(urlsplit(url)._replace(scheme="", netloc="").geturl())
        assert again.text == OBJECT
        assert 60 < int(parse_qs(urlsplit(url).query)["expires"][0]) - time.time() <= 90


async def test_a_large_answer_without_room_for_its_file_is_told_to_come_back(
    api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, (json, page, _) = await made(api, pool)

    def full(**options: Path) -> None:
        assert options["dir"] == api.settings.data_dir / "blobs"  # the one folder that the server may surely write to
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool.tempfile, "TemporaryFile", full)
    for path in (
        page["html_hosted_url"],
        f"/v1/retrieve?retrieve_id={page['id']}",
        f"/v1/batches/{batch}/items?formats=html",
    ):
        answer = await api.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert "Retry-After" in answer.headers
    assert (await api.client.get(f"/v1/retrieve?retrieve_id={json['id']}")).is_success  # a small one needs none


async def test_results_that_only_compression_makes_small_go_in_turn_like_large_ones(
    api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, busy = api.app.state.thresher.large_results, {}
    make = contents.content_of

    def watched(frame: Frame, name: str, limit: int) -> str | None:
        busy[frame.header["title"]] = turns.locked()
        return make(frame, name, limit)

    for module in (contents, route):
        monkeypatch.setattr(module, "content_of", watched)
    _, (json, page, _) = await made(api, pool)
    for large, small in (
        (page["html_hosted_url"], json["html_hosted_url"]),
        (f"/v1/retrieve?retrieve_id={page['id']}", f"/v1/retrieve?retrieve_id={json['id']}"),
    ):
        busy.clear()
        async with turns:  # of two
            assert (await api.client.get(large)).is_success
            assert (await api.client.get(small)).is_success
        assert busy == {"large": True, None: False}


@pytest.fixture
async def s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3]:
    async with S3() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        yield store


async def test_an_object_store_serves_contents_itself_each_put_there_once(
    api_settings: Settings, pool: Pool, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        running(api_settings.model_copy(update={"blob_url": "s3://bucket/some"})) as api,
        httpx.AsyncClient() as web,
    ):
        batch, (json, page, _) = await made(api, pool)
        del api.client.headers["Authorization"]
        packs = len(s3.puts)
        for content, name in ((page, "html"), (json, "json"), (page, "html"), (json, "text"), (page, "markdown")):
            url = content[f"{name}_hosted_url"]
            answer = await api.client.get(url)
            assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
            led = answer.headers["location"]
            assert urlsplit(led).path.startswith(f"/bucket/some/packs/{batch}/hosted/")
            served = await web.get(led)
            assert (served.status_code, served.content.decode()) == (200, content[f"{name}_content"])
            assert served.headers["content-type"] == hosted.FILES[name].media_type
            assert served.headers["content-disposition"].startswith("attachment" if name == "html" else "inline")
            assert 604_700 < int(parse_qs(urlsplit(led).query)["X-Amz-Expires"][0]) <= 604_800
            assert (await web.get(led.replace("X-Amz-Expires=6", "X-Amz-Expires=5"))).status_code == 403
            head = await api.client.head(url)
            assert (await web.head(head.headers["location"])).headers["content-length"] == str(len(served.content))
        assert len(s3.puts) == packs + 4
        soon = await api.client.get(signed(api, json["id"], "html", time.time()))
        assert 50 < int(parse_qs(urlsplit(soon.headers["location"]).query)["X-Amz-Expires"][0]) <= 68
        far = await api.client.get(signed(api, json["id"], "html", 4e9))
        assert parse_qs(urlsplit(far.headers["location"]).query)["X-Amz-Expires"] == ["604800"]  # S3 permits no more
        assert len(s3.puts) == packs + 5
        monkeypatch.setattr(
            spool.tempfile, "tempdir", "/there/is/none"
        )  # this machine need not have a place to write to
        api.client.headers["Authorization"] = "Bearer thr_tests"
        whole = await api.get("/v1/retrieve", retrieve_id=page["id"])
        assert whole["html_content"] == page["html_content"]


async def test_what_is_shared_while_its_batch_is_purged_goes_with_it(
    api_settings: Settings, pool: Pool, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = Blobs.share

    async def share_late(blobs: Blobs, key: str, data: bytes, **headers: str) -> None:
        await api.client.delete(f"/v1/batches/{batch}")
        async with pool.acquire() as connection:
            await purge(connection, blobs, timedelta(days=30), timedelta(0))
        await share(blobs, key, data, **headers)

    async with running(api_settings.model_copy(update={"blob_url": "s3://bucket/some"})) as api:
        batch, (json, page, _) = await made(api, pool)
        assert (await api.client.get(json["html_hosted_url"])).status_code == 307
        monkeypatch.setattr(Blobs, "share", share_late)
        answer = await api.client.get(page["html_hosted_url"])
        assert (answer.status_code, answer.json()["code"]) == (410, "batch_purged")
        assert s3.puts[-1].endswith("/page.html")
        assert [key for key in s3.objects if batch in key] == []
