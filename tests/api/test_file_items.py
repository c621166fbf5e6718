"""Items that are files, and skipped ones, on the routes of every batch: read, explained, exported, retried, applied, compared."""

from typing import Any

import orjson
import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker
from tests.files.pdf import paragraphs, pdf
from tests.storage import laws
from tests.support.files import submit_files, upload

from thresher.storage import files
from thresher.storage.batches import Batch
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

TABLE = b"name,price\nlamp,19\n"


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url), [{"at": "2030-01-01T00:00:00.000+00:00", "code": "ok"}])


async def listed(api: Api, batch: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(f"/v1/batches/{batch}/items", **query))["items"]
    return found


async def made(api: Api, batch: Batch, what: str, **body: Any) -> str:
    response = await api.client.post(f"/v1/batches/{batch.public_id}/{what}", json=body)
    assert response.status_code == 200, response.text
    public_id: str = response.json()["id"]
    return public_id


async def explained(api: Api, item: dict[str, Any]) -> dict[str, Any]:
    return await api.get(f"/v1/items/{item['id']}/explain")


async def test_files_and_skipped_ones_are_read_explained_exported_retried_applied_and_compared(
    api: Api, worker: Worker, pool: Pool
) -> None:
    async with pool.acquire() as connection:
        sheet = await upload(connection, worker.blobs, "sheet.csv", TABLE)
        book = await upload(connection, worker.blobs, "book.pdf", pdf(paragraphs("Manual", "first page")))
        gone = await upload(connection, worker.blobs, "gone.txt", b"x")
        large = await upload(connection, worker.blobs, "large.txt", b"large")
        await connection.execute("UPDATE content SET size = 1 << 30 WHERE id = $1", large.content)
    first = await submit_files(pool, [sheet, book])
    [waiting, _] = await listed(api, first.public_id, status="pending")
    told = await explained(api, waiting)
    assert (told["waiting_for"]["what"], told["effective_options"]["parse"]) == ("queue", {})
    await worker.work()

    second = await submit_files(pool, [sheet, gone, large])
    async with pool.acquire() as connection:
        assert await files.delete(connection, second.account_id, gone.id)
    await worker.work()
    async with pool.acquire() as connection:
        await laws.check(connection)
    [done, _] = await listed(api, first.public_id)
    items = {item["custom_id"]: item for item in await listed(api, second.public_id)}
    assert [(item["status"], item.get("skip_reason"), item.get("reused")) for _, item in sorted(items.items())] == [
        ("skipped", "already_processed", done["id"]),
        ("failed", None, None),
        ("skipped", "size_limit_exceeded", None),
    ]
    assert len(await listed(api, second.public_id, status="skipped")) == 2

    explanations = [await explained(api, item) for _, item in sorted(items.items())]
    steps = [[step["what"] for step in one["timeline"]][2:] for one in explanations]
    assert steps == [["skipped", "settled"], ["failed", "settled"], ["skipped", "settled"]]
    assert [(one["attempts"], one.get("reused")) for one in explanations] == [(0, done["id"]), (1, None), (0, None)]
    assert done["id"] in explanations[0]["timeline"][2]["text"]
    assert (
        explanations[1]["remedy"] == "Upload gone.txt again, and make a new batch of it: the file is no longer there."
    )

    contents = [await api.get("/v1/retrieve", retrieve_id=items[name]["id"]) for name in sorted(items)]
    assert [(one["success"], one.get("skip_reason", None)) for one in contents] == [
        (True, "already_processed"),
        (False, None),
        (False, "size_limit_exceeded"),
    ]
    assert "lamp" in contents[0]["markdown_content"]
    exported = (await api.client.get(f"/v1/batches/{second.public_id}/export")).text.splitlines()
    assert sorted(orjson.loads(line).get("skip_reason", "") for line in exported) == [
        "",
        "already_processed",
        "size_limit_exceeded",
    ]
    compared = await api.get(f"/v1/batches/{second.public_id}/diff", **{"with": first.public_id})
    assert [(one["custom_id"], one["status"]) for one in compared["data"]] == [
        ("c0", "same"),
        ("c1", "lost"),
        ("c2", "new"),
    ]

    again = await made(api, second, "retry")
    assert again.startswith("bjb-")
    assert {item["custom_id"] for item in await listed(api, again, status="pending")} == {"c1", "c2"}
    anew = await made(api, second, "apply", content="main")
    assert {item["custom_id"] for item in await listed(api, anew, status="pending")} == {"c0", "c2"}
    await worker.work()
    assert {item["custom_id"]: item["status"] for item in await listed(api, anew)} == {
        "c0": "completed",
        "c2": "skipped",
    }
    async with pool.acquire() as connection:
        await laws.check(connection)
