"""/api/v2/batches, as the official client drives it, and as nobody should."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from llama_cloud import AsyncLlamaCloud, NotFoundError
from tests.api.conftest import Api
from tests.api.llamacloud.filing import fill
from tests.api.worker import Worker

from thresher.convert.document import Source
from thresher.domain.failure import FailureCode
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.shards import ShardItem

ROOT = "/api/v2/batches"

PRESET: Any = {"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}}


def the_second_is_broken(item: ShardItem) -> FailureCode | None:
    return FailureCode.DOCUMENT_BROKEN if item.ord == 1 else None


async def test_the_client_makes_a_batch_of_a_directory_and_finds_the_job_of_each_file(
    api: Api, pool: Pool, llama: AsyncLlamaCloud
) -> None:
    directory = (await llama.beta.directories.create(name="inbox")).id
    names = await fill(pool, directory, 3)
    await pool.execute("UPDATE content SET size = 1::bigint << 40 WHERE id = (SELECT max(id) FROM content)")
    made = await llama.batches.create(source_directory_id=directory, config=PRESET)
    assert made.id.startswith("bat-")
    assert (made.status, made.source_directory_id, made.results) == ("PENDING", directory, None)
    assert made.config.to_dict() == PRESET
    assert (await llama.batches.get(made.id, expand=["results"])).results is None
    sources = {name: Source("file:text", b"some text", name="a.txt") for name in names}
    worker = Worker(pool, Blobs(api.settings.packs_url), sources=sources)
    claim = await worker.claim()
    assert claim
    assert (await llama.batches.get(made.id)).status == "RUNNING"
    await worker.settle(claim, claim.items)
    await worker.end(claim)
    await worker.work(the_second_is_broken)
    plain = await llama.batches.get(made.id)
    assert (plain.status, plain.results) == ("COMPLETED", None)
    done = await llama.batches.get(made.id, expand=["results"])
    assert done.results
    assert [result.source_directory_file_id for result in done.results] == names
    first, second, third = done.results
    assert (third.job_reference, third.error_message) == (None, "size_limit_exceeded")
    assert first.job_reference
    assert second.job_reference
    assert (first.error_message, second.error_message) == (None, None)
    parsed = await llama.parsing.get(first.job_reference.id, expand=["text"])
    assert parsed.job.status == "COMPLETED"
    assert parsed.text
    assert [page.text for page in parsed.text.pages] == ["some text"]
    assert (await llama.parsing.get(second.job_reference.id)).job.status == "FAILED"
    assert (await api.client.get(f"/api/v1/beta/batch-processing/{made.id}")).status_code == 404
    assert (await llama.beta.batch.list()).total_size == 0


async def test_batches_are_paged_newest_first_and_cancelled_once(api: Api, pool: Pool, llama: AsyncLlamaCloud) -> None:
    one, other = [(await llama.beta.directories.create(name=name)).id for name in "ab"]
    await fill(pool, one, 1)
    made = [(await llama.batches.create(source_directory_id=one, config=PRESET)).id for _ in range(4)]
    empty = (await llama.batches.create(source_directory_id=other, config=PRESET)).id
    cancelled = await api.client.post(f"{ROOT}/{made[0]}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "CANCELLED")
    for over in (made[0], empty):
        again = await api.client.post(f"{ROOT}/{over}/cancel")
        assert (again.status_code, "cannot be cancelled" in again.json()["detail"]) == (400, True)

    async def listed(**query: Any) -> list[str]:
        return [batch.id async for batch in llama.batches.list(page_size=2, **query)]

    assert await listed() == [empty, *made[::-1]]
    assert await listed(source_directory_id=one) == made[::-1]
    assert await listed(status="PENDING") == made[:0:-1]
    assert (await listed(status="COMPLETED"), await listed(status="CANCELLED")) == ([empty], made[:1])
    assert await listed(status="THROTTLED") == await listed(source_directory_id="dir-1") == []
    now = datetime.now(UTC)
    assert len(await listed(created_at_on_or_before=now)) == 5
    assert await listed(created_at_on_or_after=now + timedelta(hours=1)) == []
    assert (await api.get(ROOT, page_size=1))["total_size"] == 5
    body = {"source_directory_id": one, "config": PRESET}
    twice = [await api.client.post(ROOT, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert (twice[0].status_code, twice[0].content) == (201, twice[1].content)


async def test_what_cannot_be_meant_is_refused(api: Api, pool: Pool, llama: AsyncLlamaCloud) -> None:
    directory = (await llama.beta.directories.create(name="inbox")).id
    job = ["config", "job"]
    hook = [{"webhook_url": "http://127.0.0.1/"}]
    for change, where in (
        ({"config": {"job": {"type": "extract_v2", "configuration_id": "cfg-PARSE_FAST"}}}, [*job, "type"]),
        ({"config": {"job": {"type": "parse_v2", "configuration_id": "cfg-1"}}}, [*job, "configuration_id"]),
        ({"config": {}}, job),
        ({"webhook_configurations": hook}, ["webhook_configurations", 0, "webhook_url"]),
        ({"source_directory_id": None}, ["source_directory_id"]),
    ):
        body = {"source_directory_id": directory, "config": PRESET, **change}
        answer = await api.client.post(ROOT, json=body)
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", *where]), change
    with pytest.raises(NotFoundError, match="Directory not found"):
        await llama.batches.create(source_directory_id=f"dir-{uuid4()}", config=PRESET)
    await fill(pool, directory, 1001)
    many = await api.client.post(ROOT, json={"source_directory_id": directory, "config": PRESET})
    assert (many.status_code, many.json()["detail"]) == (400, "There are 1001 files; the limit of one batch is 1000.")
    for query in ("page_size=0", "status=pending", "expand=nope", "created_at_on_or_after=1", "page_token=x"):
        path = f"{ROOT}/bat-1" if query.startswith("expand") else ROOT
        assert (await api.client.get(f"{path}?{query}")).status_code == 422, query
    for unknown in ("bat-1", "%00", f"bat-{uuid4()}"):
        assert (await api.client.get(f"{ROOT}/{unknown}")).status_code == 404, unknown
    assert (await api.get(ROOT))["items"] == []
