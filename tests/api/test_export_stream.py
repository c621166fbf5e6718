"""The stream of an export: at the client's pace, in bounded memory, resumable, compressed, never a part for a whole."""

import asyncio
import dataclasses
import gzip
import logging
import random
import secrets
import zlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
import zstandard
from starlette.types import Message
from tests.api.conftest import KEY, Api, no_connection_is_held
from tests.api.test_serve import free_port, process, until_healthy
from tests.api.worker import Worker, complete_in_sql

from thresher.api.olostep import export, runs
from thresher.convert.convert import convert
from thresher.convert.document import Source
from thresher.convert.frame import encode
from thresher.domain.failure import FailureCode
from thresher.domain.states import Outcome
from thresher.storage import batches, spool
from thresher.storage.blobs import Blobs, Span
from thresher.storage.database import Pool
from thresher.storage.purge import purge
from thresher.storage.reconcile import Limits, reconcile
from thresher.storage.shards import Claim

Sent = Callable[[Message], Awaitable[None]]


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url))


class CountingBlobs(Blobs):
    """The real store, and how many bytes of frames were asked of it."""

    asked = 0

    async def read_all(self, spans: Sequence[Span]) -> list[memoryview | None]:
        self.asked += sum(span.length for span in spans)
        return await super().read_all(spans)


async def drive(
    api: Api, path: str, send: Sent, left: asyncio.Event | None = None, accept_encoding: str = "identity"
) -> None:
    """One GET as a server would put it to the application: `send` is the client's pace, `left` its going away."""
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await (left or asyncio.Event()).wait()
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [
            (b"authorization", f"Bearer {KEY}".encode()),
            (b"accept-encoding", accept_encoding.encode()),
        ],
        "scheme": "http",
        "server": ("thresher.test", 80),
        "client": ("127.0.0.1", 1),
    }
    await api.app(scope, receive, send)


def large_frame() -> bytes:
    """The frame of a page of 40 KB that hardly compress and of one line of text."""
    page = f"<title>large</title><p>one line</p><!-- {secrets.token_hex(20_000)} -->".encode()
    source = Source("https://a.example/", gzip.compress(page), "text/html", "gzip")
    return encode(source, convert(source, max_decoded_bytes=2**20), {})


async def large_batch(api: Api, pool: Pool, count: int) -> tuple[str, int]:
    """The export's path of a batch of so many large pages that is done, and the bytes of each frame."""
    frame = large_frame()
    made = await api.create(*(f"https://a.example/{n}" for n in range(count)))
    async with pool.acquire() as connection:
        await complete_in_sql(connection, Blobs(api.settings.packs_url), made["id"], frame)
    return f"/v1/batches/{made['id']}/export", len(frame)


def counted(api: Api) -> CountingBlobs:
    blobs = CountingBlobs(api.settings.packs_url)
    api.app.state.thresher = dataclasses.replace(api.app.state.thresher, blobs=blobs)
    return blobs


@pytest.mark.parametrize("query", ["", "?order=submitted"])
async def test_ten_thousand_items_are_read_only_a_little_ahead_of_the_client_and_hold_no_connection(
    api: Api, pool: Pool, query: str
) -> None:
    path, size = await large_batch(api, pool, 10_000)
    blobs = counted(api)
    lines, ended = 0, False

    async def send(message: Message) -> None:
        nonlocal lines, ended
        if message["type"] != "http.response.body":
            return
        body: bytes = message.get("body", b"")
        assert blobs.asked - lines * size <= runs.AHEAD_BYTES + 2 * runs.RUN_BYTES
        assert blobs.asked - lines * size <= (runs.AHEAD + 1) * runs.RUN_ITEMS * size
        assert len(body) < export.CHUNK + 2000
        await no_connection_is_held(api)
        lines += body.count(b"\n")
        ended = not message.get("more_body", False)

    await drive(api, path + query, send)
    assert (lines, ended, blobs.asked) == (10_000, True, 10_000 * size)


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_line_of_megabytes_waits_for_the_client_in_a_file(api: Api, pool: Pool, leaves: bool) -> None:
    page = "<title>wide</title><p>" + "wheat and rye " * 200_000
    made = await api.create("https://a.example/")
    sources = {"c0": Source("https://a.example/", page.encode(), "text/html")}
    await Worker(pool, Blobs(api.settings.packs_url), sources=sources).work()
    sent, left, before = b"", asyncio.Event(), asyncio.all_tasks()

    async def send(message: Message) -> None:
        nonlocal sent
        body: bytes = message.get("body", b"")
        assert len(body) <= spool.CHUNK
        sent += body
        if leaves and sent:
            left.set()
            await asyncio.Event().wait()

    await drive(api, f"/v1/batches/{made['id']}/export?formats=html", send, left)
    assert asyncio.all_tasks() <= before
    assert leaves or orjson.loads(sent)["html"] == page


async def test_a_client_that_goes_away_ends_the_work(api: Api, pool: Pool) -> None:
    path, size = await large_batch(api, pool, 2000)
    blobs, left, before = counted(api), asyncio.Event(), asyncio.all_tasks()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            left.set()
            await asyncio.Event().wait()  # it takes nothing any more

    await drive(api, path, send, left)
    assert asyncio.all_tasks() <= before
    assert 0 < blobs.asked < 2000 * size


@pytest.mark.parametrize("erased", [False, True], ids=["marked", "erased"])
async def test_a_batch_that_is_purged_in_the_middle_breaks_the_answer_off(
    api: Api, pool: Pool, caplog: pytest.LogCaptureFixture, erased: bool
) -> None:
    path, _ = await large_batch(api, pool, 2000)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        if len(sent) == 1:
            assert (await api.client.delete(path.removesuffix("/export"))).status_code == 200
            if erased:
                async with pool.acquire() as connection:
                    assert await purge(connection, Blobs(api.settings.packs_url), timedelta(days=30), timedelta(0))
        sent.append(message)

    with caplog.at_level(logging.WARNING):
        await drive(api, path, send)
    assert all(message.get("more_body", True) for message in sent), "there is no end"
    lines = b"".join(message.get("body", b"") for message in sent).splitlines()
    assert 0 < len(lines) < 2000
    assert all(orjson.loads(line)["error"] is None for line in lines), "no result is said to be damaged"
    assert "broken off in the middle" in caplog.text


async def test_a_client_that_stops_reading_delays_nobody_and_notices_that_the_batch_was_purged(
    api: Api, pool: Pool
) -> None:
    path, _ = await large_batch(api, pool, 3000)
    port = free_port()
    headers = {"Authorization": f"Bearer {KEY}", "Accept-Encoding": "identity"}
    async with (
        process(api.settings, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client,
    ):
        await until_healthy(client)
        async with client.stream("GET", f"{path}?formats=html") as response:
            pieces = response.aiter_raw()
            read = len(await anext(pieces))
            assert (await client.get(path.removesuffix("/export"))).json()["counts"]["completed"] == 3000
            assert (await client.delete(path.removesuffix("/export"))).status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                read += sum([len(piece) async for piece in pieces])
        assert read < 3000 * 40_000
        assert (await client.get(path)).status_code == 410


@pytest.mark.parametrize(("accepted", "coding"), [("zstd, gzip", "zstd"), ("gzip", "gzip"), ("identity", None)])
async def test_a_stream_is_compressed_as_the_client_asks(
    api: Api, worker: Worker, accepted: str, coding: str | None
) -> None:
    made = await api.create(*(f"https://a.example/{n}" for n in range(300)))
    await worker.work()
    path = f"/v1/batches/{made['id']}/export"
    plain = (await api.client.get(path, headers={"Accept-Encoding": "identity"})).content
    response = await api.client.get(path, headers={"Accept-Encoding": accepted})
    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.content == plain, "httpx decodes it"
    bodies: list[bytes] = []

    async def send(message: Message) -> None:
        bodies.append(message.get("body", b""))

    await drive(api, path, send, accept_encoding=accepted)
    raw = b"".join(bodies)
    if coding == "gzip":
        raw = gzip.decompress(raw)
    elif coding == "zstd":
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    assert raw == plain


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
async def test_what_a_client_has_of_a_compressed_stream_can_be_read_before_its_end(
    api: Api, pool: Pool, coding: str
) -> None:
    path, _ = await large_batch(api, pool, 600)
    decoder = zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    lines = 0

    async def send(message: Message) -> None:
        nonlocal lines
        if body := message.get("body"):
            text = decoder.decompress(body)
            assert text.endswith(b"\n") or decoder.eof
            lines += text.count(b"\n")

    await drive(api, path, send, accept_encoding=coding)
    assert (lines, decoder.eof) == (600, True)


async def test_an_export_of_nothing_is_empty_in_every_coding(api: Api) -> None:
    made = await api.create("https://a.example/")
    for coding in ("identity", "gzip", "zstd"):
        response = await api.client.get(f"/v1/batches/{made['id']}/export", headers={"Accept-Encoding": coding})
        assert (response.status_code, response.content) == (200, b"")


class Life:
    """A batch whose items settle in random order, and which may be cancelled, in random steps."""

    def __init__(self, api: Api, worker: Worker, batch: str, rnd: random.Random) -> None:
        self._api, self._worker, self._batch, self._rnd = api, worker, batch, rnd
        self._claims: list[tuple[Claim, list[Any]]] = []

    async def step(self) -> None:
        rnd = self._rnd
        choice = rnd.random()
        if choice < 0.03:
            async with self._worker.pool.acquire() as connection:
                key = await connection.fetchval("SELECT id FROM batch WHERE public_id = $1", self._batch)
                await batches.stop(connection, key, rnd.choice([Outcome.CANCELLED, Outcome.EXPIRED]))
        elif choice < 0.1:
            async with self._worker.pool.acquire() as connection:
                await reconcile(connection, Limits.of(self._api.settings))
        elif choice < 0.4 and (claim := await self._worker.claim()):
            self._claims.append((claim, rnd.sample(claim.items, len(claim.items))))
        elif self._claims:
            claim, left = rnd.choice(self._claims)
            count = rnd.randint(1, 5)
            await self._worker.settle(claim, left[:count], lambda item: FailureCode.TIMEOUT if item.ord % 3 else None)
            del left[:count]
            if not left:
                await self._worker.end(claim)
                self._claims.remove((claim, left))


@pytest.mark.parametrize("seed", range(6))
async def test_an_export_with_pauses_is_the_whole_one_without_a_gap_or_a_double(
    api: Api, worker: Worker, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(export, "PAGE", 5)
    monkeypatch.setattr(runs, "RUN_ITEMS", 3)
    rnd = random.Random(seed)
    batch = (await api.create(*(f"https://s{rnd.randrange(4)}.example/{n}" for n in range(60))))["id"]
    path = f"/v1/batches/{batch}/export"
    life = Life(api, worker, batch, rnd)
    parts: dict[str, list[dict[str, Any]]] = {"": [], "status=failed,cancelled": [], "status=completed": []}
    state = "running"
    while state != "done":
        await life.step()
        state = (await api.get(f"/v1/batches/{batch}"))["state"]
        for query, seen in parts.items():
            if rnd.random() < 0.5:
                limit = f"&limit={rnd.randint(1, 9)}" if rnd.random() < 0.5 else ""
                seen += await lines_of(api, f"{path}?{query}&cursor={seen[-1]['cursor'] if seen else 0}{limit}")
    async with worker.pool.acquire() as connection:
        await reconcile(connection, Limits.of(api.settings))
    for query, seen in parts.items():
        seen += await lines_of(api, f"{path}?{query}&cursor={seen[-1]['cursor'] if seen else 0}")
        assert seen == await lines_of(api, f"{path}?{query}")
    assert sorted(line["custom_id"] for line in parts[""]) == sorted(f"c{n}" for n in range(60))


async def lines_of(api: Api, path: str) -> list[dict[str, Any]]:
    response = await api.client.get(path)
    assert response.status_code == 200, response.text
    return [orjson.loads(line) for line in response.content.splitlines()]
