"""Single parses: made of a file, of a URL, of an upload; listed, cancelled, and awaited by the official client."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from llama_cloud import AsyncLlamaCloud
from tests.api.conftest import Api
from tests.api.llamacloud import kit
from tests.api.worker import Worker

from thresher.convert.document import Source
from thresher.domain.failure import FailureCode
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

NOTE = b"First.\n\nSecond."
FAST = {"tier": "fast", "version": "latest"}


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[None]:
    """Somebody works meanwhile."""

    async def work() -> None:
        while True:
            await worker.work()
            await asyncio.sleep(0.01)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_client_parses_files_urls_and_uploads_and_waits_for_them(
    api: Api, pool: Pool, llama: AsyncLlamaCloud
) -> None:
    file = await kit.put(api, pool, "note.txt", NOTE)
    page = Source("https://a.example/", b"<h1>A page</h1><p>Of a site.</p>", "text/html")
    worker = kit.worker(api, pool, {file: NOTE})
    sources = {**worker.sources, "source_url": page}
    async with at_work(Worker(pool, Blobs(api.settings.packs_url), sources=sources)):
        found = await llama.parsing.parse(
            tier="fast",
            version="latest",
            file_id=str(file.id),
            expand=["markdown", "items"],
            polling_interval=0.02,
            backoff="constant",
        )
        assert (found.job.status, found.job.name, found.job.tier) == ("COMPLETED", "note.txt", "fast")
        assert found.markdown
        assert [page.page_number for page in found.markdown.pages] == [1]
        of_url = await llama.parsing.parse(
            tier="agentic",
            version="latest",
            source_url="https://a.example/",
            expand=["text"],
            polling_interval=0.02,
            backoff="constant",
        )
        assert of_url.text
        assert "Of a site." in of_url.text.pages[0].text
    made = await llama.parsing.create(**FAST, upload_file=("b.txt", b"Uploaded words."), page_ranges={"max_pages": 1})
    assert (made.status, made.name) == ("PENDING", "b.txt")
    uploaded = await pool.fetchrow("SELECT * FROM file WHERE name = 'b.txt'")
    assert uploaded["purpose"] == "parse"
    listed = [job.id async for job in llama.parsing.list(page_size=2)]
    assert listed == [made.id, of_url.job.id, found.job.id]
    assert [job.id async for job in llama.parsing.list(status="COMPLETED", page_size=1)] == listed[1:]
    assert [job.id async for job in llama.parsing.list(status="PENDING")] == [made.id]
    assert [job.id async for job in llama.parsing.list(job_ids=[listed[1], "pjb-none"])] == [listed[1]]
    assert (await api.get("/api/v2/parse", page_size=2))["total_size"] == 3
    assert (await api.get("/api/v2/parse", created_at_on_or_before="2020-01-01T00:00:00Z"))["items"] == []
    assert (await api.get("/api/v2/parse/versions"))["fast"] == ["latest"]


async def test_a_single_parse_that_is_cancelled_or_fails_says_so(api: Api, pool: Pool, llama: AsyncLlamaCloud) -> None:
    file = await kit.put(api, pool, "note.txt", NOTE)
    jobs = [await llama.parsing.create(**FAST, file_id=str(file.id), disable_cache=True) for _ in range(2)]
    cancel = f"/api/v2/parse/{jobs[0].id}/cancel"
    first, second = await api.client.post(cancel), await api.client.post(cancel)
    assert (first.status_code, first.json()["status"]) == (200, "CANCELLED")
    assert (second.status_code, second.json()["detail"]) == (400, "This job is CANCELLED, so it cannot be cancelled.")
    assert [job.id async for job in llama.parsing.list(status="CANCELLED")] == [jobs[0].id]
    await kit.worker(api, pool, {}).work(lambda _: FailureCode.DOCUMENT_ENCRYPTED)
    failed = await llama.parsing.wait_for_completion(jobs[1].id, polling_interval=0.01)
    assert (failed.status, failed.error_message) == ("FAILED", "PDF_IS_PROTECTED: told by the test")
    assert [job.error_message async for job in llama.parsing.list(status="FAILED")] == [
        "PDF_IS_PROTECTED: told by the test"
    ]
    batch = await kit.batch_of(pool, [file])
    refused = await api.client.post(f"/api/v2/parse/{kit.job_id(api, batch)}/cancel")
    assert (refused.status_code, batch.public_id in refused.json()["detail"]) == (400, True)


async def test_the_configuration_is_kept_and_what_it_chooses_is_what_is_done(
    api: Api, pool: Pool, llama: AsyncLlamaCloud
) -> None:
    file = await kit.put(api, pool, "note.txt", NOTE)
    made = await llama.parsing.create(
        **FAST,
        file_id=str(file.id),
        client_name="tests",
        user_metadata={"order": "7"},
        http_proxy="http://user:secret@proxy.example/",
        page_ranges={"target_pages": "1,3-5", "max_pages": 2},
        crop_box={"top": 0.1, "right": 0.75},
        output_options={"markdown": {"annotate_links": False, "tables": {"output_tables_as_markdown": False}}},
        processing_options={"ignore": {"ignore_diagonal_text": True}, "ocr_parameters": {"languages": ["de", "en"]}},
        processing_control={"timeouts": {"base_in_seconds": 60}},
        input_options={
            "spreadsheet": {"include_hidden_sheets": True, "new": ["kept"]},
            "html": {"remove_navigation_elements": True},
        },
        webhook_configurations=[
            {"webhook_url": "https://hooks.example/x", "webhook_signing_secret": "s", "webhook_headers": {"a": "b"}}
        ],
    )
    assert made.user_metadata == {"order": "7"}
    row = await pool.fetchrow("SELECT * FROM batch WHERE public_id LIKE 'prs-%'")
    kept = row["options"]["parse"]
    parameters = kept["parameters"]
    assert (kept["first_page"], kept["cached"], row["webhook"]) == (1, True, "https://hooks.example/x")
    assert "secret" not in json.dumps(kept)
    assert "max_pages" not in parameters
    assert parameters["input_options"]["spreadsheet"]["new"] == ["kept"]
    chosen = {
        "target_pages": "1,3-5", "bbox_top": 0.1, "bbox_right": 0.25, "annotate_links": False, "skip_diagonal_text": True,
        "output_tables_as_HTML": True, "languages": ["de", "en"], "job_timeout_in_seconds": 60,
        "spreadsheet_include_hidden_sheets": True, "html_remove_navigation_elements": True,
    }  # fmt: skip
    assert {name: parameters[name] for name in chosen} == chosen
    again = await llama.parsing.create(**FAST, file_id=str(file.id), disable_cache=True)
    last = await pool.fetchval("SELECT options -> 'parse' -> 'cached' FROM batch ORDER BY id DESC LIMIT 1")
    assert (again.status, last) == ("PENDING", False)


async def test_what_cannot_be_parsed_is_refused_and_nothing_is_made(api: Api, pool: Pool) -> None:
    file = str((await kit.put(api, pool, "note.txt", NOTE)).id)
    before = await pool.fetchval("SELECT count(*) FROM file")
    wrong = [
        ({"tier": "fast", "version": "latest"}, 400, "Either file_id or source_url"),
        ({**FAST, "file_id": file, "source_url": "https://a.example/"}, 400, "Either file_id or source_url"),
        ({**FAST, "file_id": str(uuid4())}, 404, "File not found"),
        ({**FAST, "file_id": "nonsense"}, 422, ["body", "file_id"]),
        ({"version": "latest", "file_id": file}, 422, ["body", "tier"]),
        ({**FAST, "file_id": file, "unheard": 1}, 422, ["body", "unheard"]),
        ({**FAST, "source_url": "file:///etc/passwd"}, 422, ["body", "source_url"]),
        (
            {**FAST, "file_id": file, "page_ranges": {"target_pages": "5-3"}},
            422,
            ["body", "page_ranges", "target_pages"],
        ),
        ({**FAST, "file_id": file, "page_ranges": {"target_pages": "0"}}, 422, ["body", "page_ranges", "target_pages"]),
        ({**FAST, "file_id": file, "agentic_options": {"custom_prompt": "a\0b"}}, 422, ["body"]),
        (
            {**FAST, "file_id": file, "webhook_configurations": [{"webhook_url": "http://127.0.0.1/"}]},
            422,
            ["body", "webhook_configurations", 0, "webhook_url"],
        ),
    ]
    for body, status, said in wrong:
        refused = await api.client.post("/api/v2/parse", json=body)
        detail = refused.json()["detail"]
        assert refused.status_code == status, (body, refused.text)
        assert said in detail if isinstance(said, str) else detail[0]["loc"] == said, body
    for configuration in (None, "", "[]", "{", json.dumps({**FAST, "file_id": file})):
        data = {} if configuration is None else {"configuration": configuration}
        refused = await api.client.post("/api/v2/parse/upload", data=data, files={"file": ("a.txt", b"words")})
        assert refused.status_code == 422, configuration
        assert refused.json()["detail"][0]["loc"][:2] == ["body", "configuration"]
    assert await pool.fetchval("SELECT count(*) FROM batch") == 0
    assert await pool.fetchval("SELECT count(*) FROM file") == before
    key = {"Idempotency-Key": "once"}
    twice = [await api.client.post("/api/v2/parse", json={**FAST, "file_id": file}, headers=key) for _ in range(2)]
    assert twice[0].json() == twice[1].json()
    assert await pool.fetchval("SELECT count(*) FROM batch") == 1


async def test_the_upload_of_the_first_version_takes_its_parameters_from_the_form(api: Api, pool: Pool) -> None:
    for root in ("/api/parsing", "/api/v1/parsing"):
        form = {
            "target_pages": "0",
            "disable_ocr": "True",
            "max_pages": "3",
            "language": "de,en",
            "page_prefix": "true",
        }
        form |= {"openai_api_key": "secret", "parsing_instruction": "", "skip_diagonal_text": "false"}
        made = await api.client.post(f"{root}/upload", data=form, files={"file": ("a.txt", io.BytesIO(b"words"))})
        assert (made.status_code, made.json()["status"]) == (200, "PENDING"), made.text
        details = await api.get(f"{root}/job/{made.json()['id']}/details")
        assert details["parameters"] == {
            "target_pages": "0", "disable_ocr": True, "max_pages": 3.0, "languages": ["de", "en"], "page_prefix": "true",
            "skip_diagonal_text": False,
        }  # fmt: skip
        for name, text in (
            ("max_pages", "many"),
            ("disable_ocr", "perhaps"),
            ("max_pages", "nan"),
            ("target_pages", "x"),
        ):
            refused = await api.client.post(f"{root}/upload", data={name: text}, files={"file": ("a.txt", b"words")})
            assert (refused.status_code, refused.json()["detail"][0]["type"]) == (422, "beyond_limit"), (name, text)
    files = await pool.fetch("SELECT content_id FROM file WHERE name = 'a.txt'")
    assert (len(files), len({row["content_id"] for row in files})) == (2, 1)
