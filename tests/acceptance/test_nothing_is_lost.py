"""kill -9, of one process or of all, at any moment: an accepted batch completes, every item settled exactly once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from tests.acceptance.served import Served
from tests.serve.conftest import private_room
from tests.support.origin import Origin

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Served]:
    """One for all tests of this module: what is killed comes back, or they fail."""
    with private_room() as room:
        async with Origin() as origin, Served(room / "data", origin.environment) as running:
            yield running


async def check_complete(server: Served, batch_id: str, urls: list[str]) -> None:
    batch = await server.until_completed(batch_id)
    assert (batch["outcome"], batch["completed_urls"], batch["total_urls"]) == ("all_ok", len(urls), len(urls))
    items = await server.items(batch_id, limit=70)
    assert Counter(item["url"] for item in items) == Counter(urls)  # each once: no gap, no double
    for item in items[:: len(items) // 5]:
        token = item["url"].rpartition("/")[2]
        answer = (await server.http.get("/v1/retrieve", params={"retrieve_id": item["retrieve_id"]})).json()
        assert f"The token is **{token}**" in answer["markdown_content"]


async def test_everything_killed_at_once_and_restarted(server: Served) -> None:
    urls = [f"http://h{n % 9}.example/slow/0.05/token{n}" for n in range(400)]
    batch = await server.create(urls)
    for so_many in (40, 150):
        await server.until_completed(batch["id"], so_many)
        await server.kill_everything()
        await server.start()
        now = await server.info(batch["id"])
        assert now["completed_urls"] >= so_many  # what was settled stays settled
    await check_complete(server, batch["id"], urls)


@pytest.mark.parametrize(
    "victim", ["pginstall18", "postgres: io worker", "main work", "thresher.convert.child", "main api"]
)
async def test_one_process_killed_is_replaced_and_the_batch_completes(server: Served, victim: str) -> None:
    urls = [f"http://h{n % 9}.example/slow/0.05/token{n}" for n in range(200)]
    batch = await server.create(urls)
    await server.until_completed(batch["id"], 20)
    server.processes(victim)[0].kill()
    await answering(server)
    await check_complete(server, batch["id"], urls)


async def test_the_api_killed_during_a_create_leaves_all_or_nothing(server: Served) -> None:
    urls = [f"http://h{n % 50}.example/page/{n}" for n in range(10_000)]
    for delay in (0.05, 0.15, 0.3, 0.6):
        before = await rows_of_batches(server)
        posting = asyncio.create_task(server.create(urls))
        await asyncio.wait({posting}, timeout=delay)
        server.processes("main api")[0].kill()
        answered = not isinstance((await asyncio.gather(posting, return_exceptions=True))[0], BaseException)
        await answering(server)
        made = {batch: items for batch, items in (await rows_of_batches(server)).items() if batch not in before}
        assert list(made.values()) in ([[10_000]] if answered else [[], [10_000]])
        for batch in made:
            assert (await server.http.post(f"/v1/batches/{batch}/cancel")).status_code == 200


async def answering(server: Served) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if (await server.http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def rows_of_batches(server: Served) -> dict[str, int]:
    """How many items each batch has, by its id: asked of the database, behind its server's back."""
    query = "SELECT public_id, (SELECT count(*) FROM item WHERE batch_id = b.id) AS items FROM batch b"
    async with server.database() as connection:
        return {row["public_id"]: row["items"] for row in await connection.fetch(query)}
