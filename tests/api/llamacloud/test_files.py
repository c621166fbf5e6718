"""/api/v1/beta/files, as the official client drives it: uploads of any size and any kind, lists, signed URLs, deletions."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from llama_cloud import AsyncLlamaCloud, BadRequestError, NotFoundError, PermissionDeniedError
from tests.api.conftest import KEY, Api, running
from tests.api.test_serve import free_port, process, until_healthy
from tests.support.memory import peak
from tests.support.s3 import S3

from thresher.domain import hosted
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.purge import purge

ROOT = "/api/v1/beta/files"

MAIL = b'Subject: hello\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nhello\r\n--b--\r\n\xff\x00\r'


async def upload(api: Api, name: str = "a.txt", data: bytes = b"data", **fields: str) -> dict[str, Any]:
    answer = await api.client.post(ROOT, data={"purpose": "parse", **fields}, files={"file": (name, data)})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def fetched(api: Api, url: str) -> httpx.Response:
    """What somebody without a key gets."""
    return await api.client.get(url, headers={"Authorization": ""})


async def rows(pool: Pool) -> tuple[int, int]:
    """Contents that are live, and files."""
    live = await pool.fetchval("SELECT count(*) FROM content WHERE sha256 IS NOT NULL AND dropped_at IS NULL")
    return live, await pool.fetchval("SELECT count(*) FROM file")


async def test_the_client_uploads_lists_reads_and_deletes_files(llama: AsyncLlamaCloud, api: Api, pool: Pool) -> None:
    files = llama.files
    mail = await files.create(file=("Grüße 1.EML", MAIL, "message/rfc822"), purpose="parse", external_file_id="x1")
    assert (mail.name, mail.file_type, mail.purpose, mail.external_file_id) == ("Grüße 1.EML", "eml", "parse", "x1")
    assert mail.project_id == str(await pool.fetchval("SELECT project FROM account"))
    assert UUID(mail.id)
    assert mail.last_modified_at
    assert mail.expires_at
    assert mail.expires_at - mail.last_modified_at == timedelta(seconds=api.settings.file_retention)
    assert type(mail)(**await api.get(f"{ROOT}/{mail.id}")).to_dict() == mail.to_dict()

    content = await files.get(mail.id, expires_at_seconds=60)
    assert timedelta(0) < content.expires_at - datetime.now(UTC) < timedelta(seconds=70)
    assert content.url.startswith("http://thresher.test/api/v1/beta/files/")
    answer = await fetched(api, content.url)
    assert (answer.status_code, answer.content) == (200, MAIL)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(len(MAIL))
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Gr__e 1.EML\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%201.EML"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    head = await api.client.head(content.url, headers={"Authorization": ""})
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(MAIL)))

    again = await files.create(file=("other.eml", MAIL), purpose="user_data")
    plain = await files.create(file=("no ending.", b"text"), purpose="user_data")
    assert (plain.file_type, plain.external_file_id) == (None, None)
    assert await rows(pool) == (2, 3)  # equal bytes are stored once
    listed = [one async for one in files.list(page_size=1, expand=["download_url"])]
    assert [one.id for one in listed] == [mail.id, again.id, plain.id]
    assert listed[2].download_url
    assert (await fetched(api, listed[2].download_url.url)).content == b"text"

    await files.delete(mail.id)
    for gone in (files.delete, files.get):
        with pytest.raises(NotFoundError, match="File not found"):
            await gone(mail.id)
    assert (await fetched(api, content.url)).status_code == 404
    assert (await fetched(api, (await files.get(again.id)).url)).content == MAIL
    with pytest.raises(PermissionDeniedError):
        await files.list(project_id=str(uuid4()))
    with pytest.raises(BadRequestError, match="Uploaded file is empty"):
        await files.create(file=("a", b""), purpose="parse")


async def test_files_are_listed_as_asked_page_by_page(api: Api) -> None:
    made = [
        await upload(api, name, external_file_id=external)
        for name, external in (("b", "1"), ("a", "2"), ("c", "1"), ("a", ""), ("B", "3"))
    ]
    ids = [one["id"] for one in made]

    async def listed(**query: Any) -> list[int]:
        found: list[int] = []
        token: str | None = ""
        while token is not None:
            page = await api.get(ROOT, page_size=2, **query, **({"page_token": token} if token else {}))
            assert (page["total_size"] is None) == bool(token)
            found += [ids.index(one["id"]) for one in page["items"]]
            token = page["next_page_token"]
        return found

    assert await listed() == await listed(order_by="created_at") == [0, 1, 2, 3, 4]
    assert await listed(order_by="created_at desc") == [4, 3, 2, 1, 0]
    assert await listed(order_by="name") == [4, 1, 3, 0, 2]
    assert await listed(order_by="external_file_id desc, name") == [4, 1, 0, 2, 3]
    assert await listed(order_by=",".join(["name"] * 2000)) == [4, 1, 3, 0, 2]
    assert await listed(order_by="expires_at asc,purpose , name desc") == [0, 1, 2, 3, 4]
    assert await listed(file_name="a") == [1, 3]
    assert await listed(external_file_id="1", order_by="name desc") == [2, 0]
    assert (
        await listed(file_ids=[ids[2], ids[0], str(uuid4())]) == await listed(file_ids=f"{ids[0]},{ids[2]}") == [0, 2]
    )

    token = (await api.get(ROOT, page_size=1))["next_page_token"]
    for query in (
        f"page_token={token}&order_by=name",
        "page_token=x",
        "order_by=size",
        "order_by=name+up",
        "file_ids=1",
        "file_ids=" + ",".join(ids * 201),
        "file_name=%00",
        "page_size=0",
        "expand=nothing",
    ):
        assert (await api.client.get(f"{ROOT}?{query}")).status_code == 422, query

    asked = {"filter": {"file_ids": ids[:2], "only_manually_uploaded": True}, "order_by": "name", "page_size": 2000}
    found = (await api.client.post(f"{ROOT}/query", json=asked)).json()
    assert ([one["id"] for one in found["items"]], found["total_size"]) == ([ids[1], ids[0]], 2)
    for chosen, status, count in (
        ({"data_source_id": "d"}, 200, 0),
        ({"project_id": made[0]["project_id"]}, 200, 5),
        ({"project_id": str(uuid4())}, 403, 0),
        ({"file_ids": ["x"]}, 422, 0),
    ):
        answer = await api.client.post(f"{ROOT}/query", json={"filter": chosen})
        assert (answer.status_code, len(answer.json().get("items", ()))) == (status, count), chosen


async def test_what_is_no_upload_is_refused_in_words_and_leaves_nothing(api_settings: Settings, pool: Pool) -> None:
    async with running(api_settings.model_copy(update={"max_file_bytes": 1000})) as api:
        right = {"files": {"file": ("a.txt", b"x")}, "data": {"purpose": "parse"}}
        for change, status, text in (
            ({"files": {"upload_file": ("a.txt", b"x")}}, 400, "the file goes into the part 'file'"),
            ({"files": {"file": ("", b"x")}}, 400, "File must have a filename."),
            ({"files": {"file": ("../a", b"x")}}, 400, "leads elsewhere"),
            ({"files": {"file": ("a", b"x" * 1001)}}, 413, "1000 bytes (THRESHER_MAX_FILE_BYTES)"),
            ({"data": {}}, 422, "purpose"),
            ({"data": {"purpose": "fun"}}, 422, "purpose"),
            ({"data": {"purpose": "parse", "external_file_id": "a\0"}}, 422, "external_file_id"),
            ({"files": None, "json": {}, "data": None}, 415, "multipart/form-data"),
            ({"headers": {"Content-Encoding": "gzip"}}, 415, "Content-Encoding gzip"),
        ):
            answer = await api.client.post(ROOT, **{**right, **change})
            assert (answer.status_code, text in answer.text) == (status, True), answer.text
        missing = await api.client.post(ROOT, data={"purpose": "parse"}, files={"purpose": (None, "parse")})
        assert (missing.status_code, missing.json()["detail"][0]["loc"]) == (422, ["body", "file"])

        # By its length alone, before a byte of it is read.
        async def unread() -> AsyncIterator[bytes]:
            raise AssertionError("the body was read")
            yield b""

        headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(2**21)}
        answer = await api.client.post(ROOT, content=unread(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
        assert await rows(pool) == (0, 0)
        assert (await upload(api, data=b"x" * 1000))["name"] == "a.txt"
        async with pool.acquire() as connection:
            await purge(connection, Blobs(api.settings.packs_url), timedelta(days=1))
        assert await pool.fetchval("SELECT count(*) FROM content") == 1
        assert len(objects(api.settings)) == 1


def objects(settings: Settings) -> list[Path]:
    return [path for path in (settings.data_dir / "blobs" / "files").rglob("*") if path.is_file()]


async def test_a_client_that_goes_away_leaves_no_content(api_settings: Settings, pool: Pool) -> None:
    async with running(api_settings) as api:
        sent, left = asyncio.Event(), asyncio.Event()
        begun = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(2**21)
        messages = iter([{"type": "http.request", "body": begun, "more_body": True}, {"type": "http.disconnect"}])

        async def receive() -> dict[str, Any]:
            message = next(messages)
            if message["type"] == "http.disconnect":
                sent.set()
                await left.wait()
            return message

        async def send(message: Any) -> None:
            raise AssertionError("nobody is there to be answered")

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": ROOT,
            "raw_path": ROOT.encode(),
            "query_string": b"",
            "headers": [
                (b"authorization", f"Bearer {KEY}".encode()),
                (b"content-type", b"multipart/form-data; boundary=x"),
            ],
        }
        request = asyncio.create_task(api.app(scope, receive, send))
        await sent.wait()
        async with asyncio.timeout(10):
            while not objects(api.settings):
                await asyncio.sleep(0.005)
        left.set()
        await request
        assert await pool.fetchval("SELECT count(*) FROM content WHERE dropped_at IS NULL") == 0
        assert objects(api.settings) == []


async def test_a_signed_url_is_for_one_file_and_for_a_time(api: Api, pool: Pool) -> None:
    one, two = [await upload(api, "a/b\n.txt".replace("\n", ""), data=data) for data in (b"1", b"2")]
    url = (await api.get(f"{ROOT}/{one['id']}/content"))["url"]
    assert (await fetched(api, url)).content == b"1"
    secret = api.app.state.thresher.hosted_secret
    over, _ = hosted.upload_path(secret, UUID(one["id"]), time.time() - 100, 60)
    answer = await fetched(api, over)
    assert (answer.status_code, answer.json()["code"]) == (410, "hosted_url_expired")
    for wrong in (
        url.replace(one["id"], two["id"]),
        url.replace("expires=", "expires=1"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.partition("?")[0],
    ):
        assert (await fetched(api, wrong)).status_code == 404, wrong
    asked = await api.get(f"{ROOT}/{one['id']}/content", expires_at_seconds=10**15)
    left = datetime.fromisoformat(asked["expires_at"]) - datetime.now(UTC)
    assert left < timedelta(seconds=api.settings.hosted_url_seconds + 3601)
    assert (await api.client.get(f"{ROOT}/{one['id']}/content?expires_at_seconds=0")).status_code == 422

    await pool.execute("UPDATE file SET expires_at = now() WHERE id = $1", UUID(one["id"]))
    for path in (url, f"{ROOT}/{one['id']}", f"{ROOT}/{one['id']}/content"):
        assert (await api.client.get(path)).status_code == 404
    assert [each["id"] for each in (await api.get(ROOT))["items"]] == [two["id"]]
    key = await pool.fetchval(
        "SELECT key FROM content WHERE id = (SELECT content_id FROM file WHERE id = $1)", UUID(two["id"])
    )
    await Blobs(api.settings.packs_url).delete([key])
    answer = await fetched(api, (await api.get(f"{ROOT}/{two['id']}/content"))["url"])
    assert (answer.status_code, "no longer in the store" in answer.text) == (404, True)


async def test_a_store_that_signs_gives_files_out_itself_to_be_saved(
    api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        async with running(api_settings.model_copy(update={"blob_url": "s3://bucket/p"})) as api:
            made = await upload(api, "page.html", b"<script>")
            large = await upload(api, "large.html", b"<script>" * 10**6)
            async with httpx.AsyncClient() as client:
                for file, size in ((made, 8), (large, 8 * 10**6)):
                    found = await api.get(f"{ROOT}/{file['id']}/content", expires_at_seconds=60)
                    assert found["url"].startswith(f"http://127.0.0.1:{s3.port}/bucket/p/files/")
                    answer = await client.get(found["url"])
                    assert (answer.status_code, len(answer.content)) == (200, size)
                    assert answer.headers["content-type"] == "application/octet-stream"
                    assert answer.headers["content-disposition"] == "attachment"


LARGE, BLOCK = 500_000_000, 2**16

FRONT = (
    b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nparse\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n\r\n'
)
BACK = b"\r\n--x--\r\n"


async def test_a_file_of_500_mb_costs_no_more_memory_than_one_of_1_mb(api_settings: Settings) -> None:
    port = free_port()
    async with process(api_settings, port) as server:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await until_healthy(client)

        async def send(size: int) -> int:
            """Send a file of so many bytes, of which every block begins with its number. Returns the most memory so far."""
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                head = f"POST {ROOT} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n"
                head += "Content-Type: multipart/form-data; boundary=x\r\n"
                writer.write(f"{head}Content-Length: {len(FRONT) + size + len(BACK)}\r\n\r\n".encode() + FRONT)
                rest = bytes(BLOCK - 8)
                for number in range(size // BLOCK):
                    writer.writelines((number.to_bytes(8, "big"), rest))
                    await writer.drain()
                writer.write(bytes(size % BLOCK) + BACK)
                answer = await reader.read()
            finally:
                writer.close()
            assert b" 201 " in answer.partition(b"\r\n")[0], answer
            return peak(server.pid)

        small = await send(10**6)
        assert await send(LARGE) - small < 8 * 2**20
    [_, stored] = sorted(objects(api_settings), key=lambda path: path.stat().st_size)
    assert stored.stat().st_size == LARGE
    with stored.open("rb") as file:
        for number in range(LARGE // BLOCK):
            file.seek(number * BLOCK)
            assert int.from_bytes(file.read(8), "big") == number
