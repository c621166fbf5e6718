"""/api/v1/beta/batch-processing, as the official client drives it, and as nobody should."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from llama_cloud import AsyncLlamaCloud, BadRequestError, NotFoundError, UnprocessableEntityError
from tests.api.conftest import Api
from tests.api.llamacloud.filing import fill, put_files
from tests.api.worker import Worker

from thresher.convert.document import Source
from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.parse import ParseJob
from thresher.domain.states import Outcome
from thresher.storage import batches, jobs, ledger
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.shards import ShardItem

ROOT = "/api/v1/beta/batch-processing"

Config = dict[str, Any]
PLAIN: Config = {"job_name": "parse_raw_file_job", "parameters": {"lang": "en"}}

STATUSES = ("pending", "processing", "completed", "failed", "skipped", "cancelled")


def worker_of(api: Api, pool: Pool, names: list[str]) -> Worker:
    """One to whom all these files are the same text, and every attempt is the first."""
    attempts = [{"at": "2026-01-01T00:00:00.000+00:00", "way": "file"}]
    sources = {name: Source("file:text", b"some text", name="a.txt") for name in names}
    return Worker(pool, Blobs(api.settings.packs_url), attempts, sources)


def the_second_is_encrypted(item: ShardItem) -> FailureCode | None:
    return FailureCode.DOCUMENT_ENCRYPTED if item.ord == 1 else None


# Of the files $1 of directories: the third has the bytes of the first, the fourth too many; and the fifth is deleted.
_NAMED = """
WITH named AS (SELECT n, f.id, f.content_id FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, n)
    JOIN directory_file m ON m.id = u.id JOIN file f ON f.id = m.file_id)
"""
_TROUBLE = f"""{_NAMED},
same AS (UPDATE file SET content_id = (SELECT content_id FROM named WHERE n = 1) WHERE id = (SELECT id FROM named WHERE n = 3))
UPDATE content SET size = 1::bigint << 40 WHERE id = (SELECT content_id FROM named WHERE n = 4)
"""
_DELETE = f"{_NAMED} UPDATE file SET expires_at = now() WHERE id = (SELECT id FROM named WHERE n = 5)"


async def directory_of(llama: AsyncLlamaCloud, pool: Pool, count: int) -> tuple[str, list[str]]:
    directory = (await llama.beta.directories.create(name="inbox")).id
    return directory, await fill(pool, directory, count)


async def by_status(llama: AsyncLlamaCloud, job: str) -> dict[str, list[str]]:
    """The items of each status, and of all: walked through two at a time, and counted as the server counts them."""
    found: dict[str, list[str]] = {}
    for status in (None, *STATUSES):
        query = {"status": status} if status else {}
        first = await llama.beta.batch.job_items.list(job, limit=2, **query)
        names = [item.item_id async for item in llama.beta.batch.job_items.list(job, limit=2, **query)]
        assert first.total_size == len(names), status
        if names:
            found[status or "all"] = names
    together = [name for status in STATUSES for name in found.get(status, [])]
    assert sorted(together) == sorted(found.get("all", []))
    return found


async def test_the_client_makes_a_job_of_a_directory_follows_it_and_reads_all_of_every_item(
    api: Api, pool: Pool, llama: AsyncLlamaCloud
) -> None:
    directory, names = await directory_of(llama, pool, 7)
    batch, worker = llama.beta.batch, worker_of(api, pool, names)
    keys = [name.removeprefix("dfl-") for name in names]
    await pool.execute(_TROUBLE, keys)
    before = datetime.now(UTC)
    job = await batch.create(directory_id=directory, job_config=PLAIN, page_size=10, temporal_namespace="n")
    assert job.id.startswith("bjb-")
    assert (job.status, job.job_type, job.total_items, job.directory_id) == ("pending", "parse", 7, directory)
    assert (job.processed_items, job.failed_items, job.skipped_items, job.error_message) == (0, 0, 0, None)
    assert (job.started_at, job.completed_at, job.effective_at) == (None, None, job.created_at)
    assert job.project_id == str(await pool.fetchval("SELECT project FROM account"))
    assert await by_status(llama, job.id) == {"all": names, "pending": names}
    await pool.execute(_DELETE, keys)
    [first] = (await batch.job_items.list(job.id, limit=1)).items
    assert (first.item_name, first.started_at, first.completed_at) == ("in file1.pdf", None, None)
    assert first.effective_at == job.created_at

    claim = await worker.claim()
    assert claim
    now = await batch.get_status(job.id)
    assert (now.job.status, now.progress_percentage, now.job.effective_at) == ("running", 0, now.job.started_at)
    assert now.job.started_at
    assert now.job.started_at >= before
    assert await by_status(llama, job.id) == {"all": names, "processing": names[:1], "pending": names[1:]}
    [first] = (await batch.job_items.list(job.id, status="processing")).items
    assert first.started_at == first.effective_at == now.job.started_at
    await worker.settle(claim, claim.items, the_second_is_encrypted)
    await worker.end(claim)
    assert (await batch.get_status(job.id)).progress_percentage == 14.29

    await worker.work(the_second_is_encrypted)
    done = await batch.get_status(job.id)
    assert (done.job.status, done.progress_percentage) == ("completed", 100)
    counts = (done.job.total_items, done.job.processed_items, done.job.failed_items, done.job.skipped_items)
    assert counts == (7, 7, 2, 2)
    assert done.job.completed_at == done.job.effective_at == done.job.updated_at
    assert await by_status(llama, job.id) == {
        "all": names,
        "completed": [names[0], *names[5:]],
        "failed": [names[1], names[4]],
        "skipped": names[2:4],
    }
    items = [item async for item in batch.job_items.list(job.id)]
    assert [item.error_message for item in items] == [
        None,
        "PDF_IS_PROTECTED: told by the test",
        None,
        None,
        f"file_gone: {FAILURES[FailureCode.FILE_GONE].meaning}",
        None,
        None,
    ]
    assert [item.skip_reason for item in items[2:4]] == ["already_processed", "size_limit_exceeded"]
    assert items[2].job_id == items[0].job_id
    assert items[3].job_id is None
    assert len({item.job_id for item in items}) == 6
    assert all(item.job_id.startswith("pjb-") for item in items if item.job_id)
    assert [item.started_at for item in items[:2]] == [datetime(2026, 1, 1, tzinfo=UTC)] * 2
    assert all(item.started_at for item in items)
    assert all(item.completed_at == item.effective_at is not None for item in items)
    assert len({item.job_record_id for item in items}) == 6  # the skipped ones: the first one's, and none

    for past in (7, 2**31, 10**30):
        page = (await api.client.get(f"{ROOT}/{job.id}/items?offset={past}&limit=1000")).json()
        assert page == {"items": [], "next_page_token": None, "total_size": 7}
    same = await api.get(f"/v1/batches/{job.id}")
    assert (same["counts"]["completed"], same["counts"]["skipped"], same["total_urls"]) == (3, 2, 7)


async def test_items_are_named_by_their_places_in_directories_or_as_files_each_once(
    api: Api, pool: Pool, llama: AsyncLlamaCloud, stranger: str
) -> None:
    batch = llama.beta.batch
    _, names = await directory_of(llama, pool, 2)
    [file] = await put_files(pool, 1)
    job = await batch.create(item_ids=[str(file).upper(), *names[::-1], str(file), names[0]], job_config={})
    items = (await batch.job_items.list(job.id)).items
    assert [item.item_id for item in items] == [str(file), names[1], names[0]]
    assert [item.item_name for item in items] == ["file1.pdf", "in file2.pdf", "in file1.pdf"]
    assert job.directory_id is None
    wrong = [names[0], str(uuid4()), f"dfl-{file}", names[0].removeprefix("dfl-")]
    with pytest.raises(NotFoundError) as unknown:
        await batch.create(item_ids=wrong, job_config={})
    assert all(name in str(unknown.value) for name in wrong[1:])
    assert names[0] + "," not in str(unknown.value)
    refused = await api.client.post(ROOT, json={"item_ids": ["\0", "dfl-", *"abcdef"], "job_config": {}})
    assert (refused.status_code, refused.json()["detail"][-11:]) == (404, "and 3 more.")
    strangers = await api.client.post(
        ROOT, json={"item_ids": [names[0]], "job_config": {}}, headers={"Authorization": f"Bearer {stranger}"}
    )
    assert (strangers.status_code, strangers.json()["code"]) == (404, "file_not_found")
    await pool.execute("UPDATE file SET expires_at = now() WHERE id = $1", file)
    with pytest.raises(NotFoundError, match=str(file)):
        await batch.create(item_ids=[str(file)], job_config={})
    assert (await batch.list()).total_size == 1


async def test_a_job_of_no_files_is_completed_at_once(pool: Pool, llama: AsyncLlamaCloud) -> None:
    directory, _ = await directory_of(llama, pool, 0)
    job = await llama.beta.batch.create(directory_id=directory, job_config=PLAIN)
    assert (job.status, job.total_items) == ("completed", 0)
    assert (await llama.beta.batch.get_status(job.id)).progress_percentage == 100
    assert [item async for item in llama.beta.batch.job_items.list(job.id)] == []
    with pytest.raises(BadRequestError, match="is completed, and cannot be cancelled"):
        await llama.beta.batch.cancel(job.id)


async def test_a_cancelled_job_is_cancelled_at_once_but_for_what_is_in_hand(
    api: Api, pool: Pool, llama: AsyncLlamaCloud
) -> None:
    directory, names = await directory_of(llama, pool, 5)
    batch, worker = llama.beta.batch, worker_of(api, pool, names)
    job = await batch.create(directory_id=directory, job_config=PLAIN)
    done, held = await worker.claim(), await worker.claim()
    assert done
    assert held
    await worker.settle(done, done.items)
    await worker.end(done)
    cancelled = await batch.cancel(job.id, reason="the wrong directory")
    assert (cancelled.job_id, cancelled.status, cancelled.processed_items) == (job.id, "cancelled", 1)
    assert "1 of its 5 items" in cancelled.message
    winding = {"all": names, "completed": names[:1], "processing": names[1:2], "cancelled": names[2:]}
    assert await by_status(llama, job.id) == winding
    now = (await batch.get_status(job.id)).job
    assert (now.status, now.error_message, now.completed_at) == ("cancelled", "the wrong directory", None)
    with pytest.raises(BadRequestError, match="is cancelled, and cannot be cancelled"):
        await batch.cancel(job.id)
    await worker.settle(held, held.items)
    await worker.end(held)
    over = await batch.get_status(job.id)
    assert (over.job.processed_items, over.progress_percentage, over.job.status) == (2, 40, "cancelled")
    assert over.job.effective_at == now.effective_at
    assert await by_status(llama, job.id) == {"all": names, "completed": names[:2], "cancelled": names[2:]}
    [last] = (await batch.job_items.list(job.id, limit=1, extra_query={"offset": 4})).items
    assert (last.error_message, last.started_at, last.completed_at) == (None, None, over.job.completed_at)


async def test_jobs_are_listed_newest_first_by_directory_type_and_status(
    api: Api, pool: Pool, llama: AsyncLlamaCloud
) -> None:
    await api.create("https://a.example/")  # no job
    directory, names = await directory_of(llama, pool, 1)
    batch, worker = llama.beta.batch, worker_of(api, pool, names)
    done = (await batch.create(directory_id=directory, job_config=PLAIN)).id
    await worker.work()
    other, _ = await directory_of(llama, pool, 1)
    made = [(await batch.create(directory_id=other, job_config=PLAIN)).id for _ in range(4)]
    late, gone, begun, waits = made
    async with pool.acquire() as connection:
        keys = dict(await connection.fetch("SELECT public_id, id FROM batch"))
        await batches.stop(connection, keys[late], Outcome.EXPIRED)
    await batch.cancel(gone)
    await worker.claim()

    async def listed(**query: Any) -> list[str]:
        page = await batch.list(limit=2, **query)
        found = [job.id async for job in batch.list(limit=2, **query)]
        assert page.total_size == len(found)
        return found

    assert await listed() == [waits, begun, gone, late, done]
    assert await listed(directory_id=other) == [waits, begun, gone, late]
    assert (
        await listed(directory_id="dir-1")
        == await listed(job_type="extract")
        == await listed(status="dispatched")
        == []
    )
    assert await listed(job_type="parse", status="completed") == [done]
    ends = {"pending": [waits], "running": [begun], "failed": [late], "cancelled": [gone]}
    for status, wanted in ends.items():
        assert await listed(status=status) == wanted
        assert {job.status async for job in batch.list(status=status)} == {status}
    expired = (await batch.get_status(late)).job
    assert expired.error_message
    assert expired.error_message.startswith("TIMEOUT: ")
    [item] = (await batch.job_items.list(late)).items
    assert (item.status, item.error_message) == ("failed", expired.error_message)
    assert (await api.client.delete(f"/v1/batches/{late}")).status_code == 200
    assert await listed(status="failed") == []
    purged = await api.client.get(f"{ROOT}/{late}")
    assert (purged.status_code, purged.json()["code"]) == (410, "batch_purged")


SECRETS = dict.fromkeys(
    ("openai_api_key", "api_key", "apiKey", "AZURE_OPENAI_KEY", "secret", "x-access-token"), "s3cret"
)


async def test_what_was_made_of_an_item_is_told_of_all_jobs_without_secrets(
    api: Api, pool: Pool, llama: AsyncLlamaCloud
) -> None:
    directory, [name] = await directory_of(llama, pool, 1)
    batch, worker = llama.beta.batch, worker_of(api, pool, [name])
    assert (await batch.job_items.get_processing_results(name)).processing_results == []
    parameters = {"lang": "de", **SECRETS, "premium_mode": True, "unheard_of": [1, {"a": None, **SECRETS}]}
    configurations = [{"webhook_url": "https://hooks.example/", "webhook_headers": {"Authorization": "s3cret"}}]
    config: Config = {
        "correlation_id": "c1",
        "partitions": {"a": "b", "PASSWORD": "s3cret"},
        "parameters": {**parameters, "webhook_configurations": configurations, "fast_mode": None},
    }
    jobs = [await batch.create(directory_id=directory, job_config=each) for each in (PLAIN, config)]
    await worker.work()
    await batch.create(item_ids=[name], job_config=PLAIN)
    await api.client.delete(f"/api/v1/beta/directories/{directory}")
    await pool.execute("DELETE FROM directory_file")
    found = await batch.job_items.get_processing_results(name)
    assert (found.item_id, found.item_name) == (name, "in file1.pdf")
    assert found.processing_results
    newest, oldest = found.processing_results
    ids = [(await batch.job_items.list(job.id)).items[0].job_id for job in jobs]
    assert [oldest.result_id, newest.result_id] == ids
    assert oldest.parameters_hash == ParseJob.asked({"lang": "en"}).hash != newest.parameters_hash
    assert oldest.job_config.to_dict(mode="json", exclude_unset=True) == PLAIN
    kept = newest.job_config.to_dict(mode="json", exclude_unset=True)
    assert kept == {
        "job_name": "parse_raw_file_job",
        "correlation_id": "c1",
        "partitions": {"a": "b"},
        "parameters": {
            "lang": "de",
            "premium_mode": True,
            "unheard_of": [1, {"a": None}],
            "webhook_configurations": [{"webhook_url": "https://hooks.example/"}],
        },
    }
    assert newest.output_s3_path == f"http://thresher.test/api/v2/parse/{newest.result_id}?expand=markdown"
    assert newest.processed_at - datetime.now(UTC) < timedelta()
    assert "s3cret" not in str(await pool.fetch("SELECT options::text, webhook FROM batch"))
    assert await pool.fetchval("SELECT webhook FROM batch WHERE public_id = $1", jobs[1].id) == "https://hooks.example/"
    assert (await batch.job_items.get_processing_results(name, job_type="extract")).processing_results == []
    for unknown in (f"dfl-{uuid4()}", str(uuid4()), "x", "\0"):
        with pytest.raises(NotFoundError, match="Item not found"):
            await batch.job_items.get_processing_results(unknown)


async def test_a_list_of_jobs_reads_nothing_of_their_parameters(pool: Pool, llama: AsyncLlamaCloud) -> None:
    directory, _ = await directory_of(llama, pool, 0)
    large: Config = {"correlation_id": "c", "parameters": {"tier": "t" * 50, "page_prefix": "x" * 2**17}}
    made = await llama.beta.batch.create(directory_id=directory, job_config=large)
    async with pool.acquire() as connection:
        account = await connection.fetchval("SELECT min(id) FROM account")
        [listed] = await jobs.page(connection, account, jobs.Wanted("bjb-"), 0, 1)
        [recent] = await batches.recent(connection, account, None, 1)
    assert (listed.public_id, len(ParseJob.of(listed.options).hash)) == (made.id, 64)
    assert listed.options == recent.options == {"parse": {**listed.options["parse"], "parameters": {"tier": "t" * 40}}}


# What is sent to make a job, its status, and where the fault is said to be, or in which words.
REFUSED: list[tuple[Config, int, str | list[Any]]] = [
    ({"job_config": {}}, 400, "Either directory_id or item_ids"),
    ({"job_config": {}, "directory_id": None, "item_ids": None}, 400, "Either directory_id or item_ids"),
    ({"job_config": {}, "directory_id": "dir-1", "item_ids": ["x"]}, 400, "and not both"),
    ({"job_config": {"rules": []}, "directory_id": "dir-1"}, 400, "classification"),
    ({"job_config": {}, "directory_id": "dir-1"}, 404, "Directory not found"),
    ({"job_config": {}, "directory_id": f"dir-{uuid4()}"}, 404, "Directory not found"),
    ({"directory_id": "dir-1"}, 422, ["job_config"]),
    ({"job_config": {"job_name": "x"}, "directory_id": "dir-1"}, 422, ["job_config", "job_name"]),
    ({"job_config": {"session_id": "\0"}, "directory_id": "dir-1"}, 422, ["job_config", "session_id"]),
    ({"job_config": {"session_id": "x" * 3001}, "directory_id": "dir-1"}, 422, ["job_config", "session_id"]),
    (
        {"job_config": {"partitions": {str(n): "x" * 100 for n in range(200)}}, "directory_id": "d"},
        422,
        ["job_config", "partitions"],
    ),
    *(
        ({"job_config": {"parameters": {name: value}}, "directory_id": "d"}, 422, ["job_config", "parameters", name])
        for name, value in (
            ("languages", 5),
            ("languages", [5]),
            ("lang", True),
            ("target_pages", "9" * 5000),
            ("target_pages", "0-100000"),
        )
    ),
    ({"job_config": {"parameters": {"a": ["\0"]}}, "directory_id": "d"}, 422, ["job_config", "parameters"]),
    ({"job_config": {"parameters": {"a": "x" * 2**18}}, "directory_id": "d"}, 422, ["job_config", "parameters"]),
    (
        {"job_config": {"parameters": {"target_pages": "b"}}, "directory_id": "d"},
        422,
        ["job_config", "parameters", "target_pages"],
    ),
    (
        {"job_config": {"parameters": {"max_pages": -1}}, "directory_id": "d"},
        422,
        ["job_config", "parameters", "max_pages"],
    ),
    ({"job_config": {"webhook_url": "https://[::1]/"}, "directory_id": "dir-1"}, 404, "Directory not found"),
    ({"job_config": {"webhook_url": "http://127.0.0.1/"}, "item_ids": []}, 422, ["item_ids"]),
    ({"job_config": {}, "item_ids": ["x"] * 10_001}, 422, ["item_ids"]),
    ({"job_config": {}, "directory_id": "d", "page_size": 0}, 422, ["page_size"]),
    ({"job_config": {}, "directory_id": "d", "page_size": 1001}, 422, ["page_size"]),
]
HOOKS: list[tuple[Config, list[Any]]] = [
    ({"webhook_url": "http://127.0.0.1/"}, ["webhook_url"]),
    ({"parameters": {"webhook_url": "nonsense"}}, ["parameters", "webhook_url"]),
    ({"parameters": {"webhook_url": 1}}, ["parameters", "webhook_url"]),
    (
        {"parameters": {"webhook_configurations": [{"webhook_url": "http://10.0.0.1/"}]}},
        ["parameters", "webhook_configurations", 0, "webhook_url"],
    ),
]


async def test_what_cannot_be_meant_is_refused_where_it_stands(api: Api, pool: Pool, llama: AsyncLlamaCloud) -> None:
    for body, status, where in REFUSED:
        answer = await api.client.post(ROOT, json=body)
        detail = answer.json()["detail"]
        assert answer.status_code == status, (body, detail)
        assert where in detail if isinstance(where, str) else detail[0]["loc"] == ["body", *where], (body, detail)
    _, [name] = await directory_of(llama, pool, 1)
    for config, where in HOOKS:
        answer = await api.client.post(ROOT, json={"job_config": config, "item_ids": [name]})
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "job_config", *where]), config
    job = (await llama.beta.batch.create(item_ids=[name], job_config={})).id
    queries = ["limit=0", "limit=1001", "limit=x", "offset=-1", "status=nope", "status=PENDING", "project_id=1"]
    for path in (ROOT, f"{ROOT}/{job}/items"):
        for query in (*queries, "organization_id=", "status="):
            assert (await api.client.get(f"{path}?{query}")).status_code == 422, (path, query)
        foreign = await api.client.get(f"{path}?project_id={uuid4()}")
        assert foreign.status_code == 403, path
    for unknown in ("bjb-1", "%00", f"bjb-{uuid4()}", (await api.create("https://a.example/"))["id"]):
        for path in (f"{ROOT}/{unknown}", f"{ROOT}/{unknown}/items"):
            assert (await api.client.get(path)).status_code == 404, path
        assert (await api.client.post(f"{ROOT}/{unknown}/cancel", json={})).status_code == 404
    for body in (b"", b"[]", b'{"reason": "\\u0000"}', b'{"reason": 1}'):
        assert (await api.client.post(f"{ROOT}/{job}/cancel", content=body)).status_code == 422, body
    with pytest.raises(UnprocessableEntityError):
        await llama.beta.batch.job_items.list(job, limit=0)
    assert (await llama.beta.batch.get_status(job)).job.status == "pending"


async def test_a_job_is_made_once_for_a_key_and_only_of_files_that_can_be_paid_for(
    api: Api, pool: Pool, llama: AsyncLlamaCloud
) -> None:
    directory, names = await directory_of(llama, pool, 3)
    body = {"job_config": PLAIN, "directory_id": directory}
    first, again = [await api.client.post(ROOT, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert (first.status_code, again.content) == (201, first.content)
    async with pool.acquire() as connection:
        [account] = await connection.fetchrow("SELECT id FROM account")
        await ledger.grant(connection, account, 2)
    refused = await api.client.post(ROOT, json=body)
    assert (refused.status_code, refused.json()["code"]) == (402, "credits_exhausted")
    assert "3 credits" in refused.json()["detail"]
    assert (await api.client.post(ROOT, json={"job_config": {}, "item_ids": names[:2]})).status_code == 201
    assert (await llama.beta.batch.list()).total_size == 2
