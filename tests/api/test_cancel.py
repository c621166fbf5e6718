"""A batch is cancelled over HTTP: at once where nothing is in hand, and never twice."""

import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker

from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

URLS = [f"https://site{n}.example/" for n in range(6)]


@pytest.fixture
def worker(api: Api, pool: Pool) -> Worker:
    return Worker(pool, Blobs(api.settings.packs_url))


async def cancel(api: Api, batch_id: str) -> dict[str, object]:
    answer = await api.client.post(f"/v1/batches/{batch_id}/cancel")
    assert answer.status_code == 200, answer.text
    batch: dict[str, object] = answer.json()
    return batch


async def test_a_batch_that_nobody_works_at_is_over_with_the_answer(api: Api) -> None:
    made = await api.create(*URLS)
    batch = await cancel(api, made["id"])
    assert (batch["status"], batch["outcome"], batch["completed_urls"]) == ("completed", "cancelled", 0)
    page = await api.get(f"/v1/batches/{made['id']}/items", status="cancelled")
    assert page["items_count"] == 6
    assert {item["error"]["code"] for item in page["items"]} == {"cancelled"}


async def test_a_batch_in_hand_ends_with_its_last_shard_and_keeps_what_is_done(api: Api, worker: Worker) -> None:
    made = await api.create(*URLS)
    claim = await worker.claim()
    assert claim is not None
    await worker.settle(claim, claim.items)
    held = await worker.claim()
    assert held is not None
    assert (await cancel(api, made["id"]))["status"] == "in_progress"
    assert await worker.claim() is None  # nothing pending starts
    await worker.end(held)
    await worker.end(claim)
    batch = await api.get(f"/v1/batches/{made['id']}")
    assert (batch["status"], batch["outcome"], batch["completed_urls"]) == ("completed", "cancelled", 1)
    assert (batch["counts"]["completed"], batch["counts"]["cancelled"]) == (1, 5)


async def test_cancelling_again_or_too_late_changes_nothing(api: Api, worker: Worker) -> None:
    done = await api.create("https://site.example/")
    await worker.work()
    assert (await cancel(api, done["id"]))["outcome"] == "all_ok"
    made = await api.create(*URLS)
    assert await cancel(api, made["id"]) == await cancel(api, made["id"])
