"""Parse jobs and their results, as the official client reads them and as older ones do."""

from collections.abc import AsyncIterator
from typing import Any, get_args

import httpx
import llama_cloud
import pytest
from llama_cloud import AsyncLlamaCloud
from tests.api.conftest import Api
from tests.api.llamacloud import kit
from tests.api.worker import Worker
from tests.files import pdf, zipped

from thresher.api.llamacloud.parse_result import Expand
from thresher.domain.documents import EXTENSIONS
from thresher.domain.failure import FailureCode
from thresher.domain.states import ItemState, SkipReason
from thresher.storage import settling
from thresher.storage.database import Pool
from thresher.storage.settling import Settled, Work
from thresher.storage.shards import Claim

REPORT = pdf.pdf(
    pdf.paragraphs("Harvest", "Wheat and rye.", "See the list."),
    pdf.table([["kind", "t|ha"], ["wheat", "7.5"]]),
    size=(600, 800),
    info={"Title": "Harvest report"},
    link=((72, 712, 300, 727), "https://example.com/list"),
)
LETTER = zipped.package(
    zipped.docx(zipped.heading("Letter") + zipped.paragraph("One.") + zipped.BREAK + zipped.paragraph("Two."))
)
BOOK = zipped.package(zipped.xlsx({"Fields": [["field", "ha"], ["north", 2.5]], "More": [["a", "b"]]}))


async def test_everything_that_can_be_expanded_is_what_the_official_client_takes(
    api: Api, pool: Pool, llama: AsyncLlamaCloud
) -> None:
    data = {"report.pdf": REPORT, "letter.docx": LETTER, "book.xlsx": BOOK}
    files = [await kit.put(api, pool, name, content) for name, content in data.items()]
    batch = await kit.batch_of(pool, files)
    waiting = await llama.parsing.get(kit.job_id(api, batch))
    assert (waiting.job.status, waiting.job.name) == ("PENDING", "report.pdf")
    with pytest.raises(llama_cloud.NotFoundError, match=r"Result not found\. Check job status"):
        await llama.parsing.get(kit.job_id(api, batch), expand=["markdown"])
    await kit.worker(api, pool, dict(zip(files, data.values(), strict=True))).work()

    everything = [await llama.parsing.get(kit.job_id(api, batch, n), expand=get_args(Expand)) for n in range(3)]
    for found in everything:
        assert found.job.status == "COMPLETED"
        assert found.markdown
        assert found.text
        assert found.items
        assert found.metadata
        assert found.forms
        pages = found.markdown.pages
        assert [page.page_number for page in pages] == [1, 2]
        assert len(found.items.pages) == len(found.text.pages) == len(found.metadata.pages) == 2
        assert found.job_metadata
        assert found.job_metadata["job_pages"] == 2
        assert found.job_metadata["job_is_cache_hit"] is False
        assert all(page.success and page.markdown in (found.markdown_full or "") for page in pages)
        assert (found.text_full or "").split("\n---\n") == [page.text for page in found.text.pages]
        assert [part.strip() for part in (found.markdown_full or "").split("\n---\n")] == [
            page.markdown.strip() for page in pages if page.success
        ]
        assert found.images_content_metadata
        assert found.images_content_metadata.images == []
        assert (found.job.model_extra or {})["usage"] == {"pages": 2}
        await _files_are_as_said(api, found)

    report, letter, book = (found.items for found in everything)
    assert report
    assert letter
    assert book
    first, second = report.pages
    assert first.success
    assert second.success
    assert (first.page_width, first.page_height) == (600, 800)
    assert first.items[0].type == "heading"
    assert first.items[0].value == "Harvest"
    assert [item.rows for item in second.items if item.type == "table"] == [[["kind", "t|ha"], ["wheat", "7.5"]]]
    assert all(page.success and page.page_width == 0 for page in letter.pages)
    assert [item.rows for page in book.pages if page.success for item in page.items if item.type == "table"]

    one = await llama.parsing.get(kit.job_id(api, batch), expand=["text"])
    assert one.model_fields_set == {"job", "text"}
    assert (await llama.parsing.wait_for_completion(kit.job_id(api, batch))).status == "COMPLETED"
    commas = await api.get(f"/api/v2/parse/{kit.job_id(api, batch)}", expand="markdown,text_full")
    assert commas.keys() == {"job", "markdown", "text_full"}
    wrong = await api.client.get(f"/api/v2/parse/{kit.job_id(api, batch)}?expand=text,nonsense")
    assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["query", "expand", 1])
    assert "'output_pdf_content_metadata'" in wrong.json()["detail"][0]["msg"]
    unknown = await api.client.get("/api/v2/parse/pjb-00000000-0000-0000-0000-000000000000")
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "Parse job not found")


async def _files_are_as_said(api: Api, found: Any) -> None:
    said = found.result_content_metadata
    assert {name for name, file in said.items() if file.exists} == {"md", "fullText", "json", "metadata"}
    assert said["xlsx"].presigned_url is None
    assert said["xlsx"].size_bytes == 0
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app)) as anybody:
        for name, file in said.items():
            if file.exists:
                answer = await anybody.get(file.presigned_url)
                assert (answer.status_code, len(answer.content)) == (200, file.size_bytes), name
                if name == "md":
                    assert answer.text == found.markdown_full
                if name == "json":
                    assert answer.json()["pages"] == found.items.to_dict(mode="json")["pages"]


async def test_the_first_version_gives_the_same_document_in_its_own_words(api: Api, pool: Pool) -> None:
    file, other = await kit.put(api, pool, "report.pdf", REPORT), await kit.put(api, pool, "b.pdf", b"%PDF-1.4 broken")
    parameters = {"page_separator": "\n== {pageNumber} ==\n", "page_prefix": "<", "page_suffix": ">"}
    batch = await kit.batch_of(pool, [file, other], parameters | {"user_api_key": "secret", "lang": "de"})
    await kit.worker(api, pool, {file: REPORT}).work(
        lambda item: FailureCode.DOCUMENT_BROKEN if item.custom_id == str(other.id) else None
    )
    good, bad = kit.job_id(api, batch), kit.job_id(api, batch, 1)
    for root in ("/api/v1/parsing", "/api/parsing"):
        job = await api.get(f"{root}/job/{good}")
        assert job == {"id": good, "status": "SUCCESS", "error_code": None, "error_message": None}
        markdown = await api.get(f"{root}/job/{good}/result/markdown")
        assert markdown["markdown"].startswith("<# Harvest")
        one, two = markdown["markdown"].split("\n== 2 ==\n")
        assert one.endswith(">")
        assert two.startswith("<")
        assert two.endswith(">")
        assert markdown["job_metadata"] == {
            "job_pages": 2, "job_auto_mode_triggered_pages": 0, "job_is_cache_hit": False,
        }  # fmt: skip
        text = await api.get(f"{root}/job/{good}/result/text")
        raw = await api.client.get(f"{root}/job/{good}/result/raw/markdown")
        assert (raw.text, raw.headers["content-type"]) == (markdown["markdown"], "text/markdown; charset=utf-8")
        assert (await api.client.get(f"{root}/job/{good}/result/raw/text")).text == text["text"]
        first, second = (await api.get(f"{root}/job/{good}/result/json"))["pages"]
        assert (first["page"], first["status"], first["width"], first["images"]) == (1, "OK", 600, [])
        assert first["links"][0]["url"] == "https://example.com/list"
        heading, table = first["items"][0], next(item for item in second["items"] if item["type"] == "table")
        assert (heading["type"], heading["lvl"], heading["value"]) == ("heading", 1, "Harvest")
        assert {*heading["bBox"]} == {"x", "y", "w", "h"}
        assert table["rows"][1] == ["wheat", "7.5"]
        details = await api.get(f"{root}/job/{good}/details")
        assert details["parameters"] == parameters | {"lang": "de"}
        assert details["file_name"] == "report.pdf"

        failed = await api.get(f"{root}/job/{bad}")
        assert (failed["status"], failed["error_code"]) == ("ERROR", "PDF_IS_BROKEN")
        assert failed["error_message"] == "PDF_IS_BROKEN: told by the test"
        for path in ("result/markdown", "result/raw/text", "result/json"):
            refused = await api.client.get(f"{root}/job/{bad}/{path}")
            assert (refused.status_code, refused.json()["code"]) == (404, "parse_job_not_found")
            assert "The job is FAILED: PDF_IS_BROKEN" in refused.json()["detail"]
        picture = await api.client.get(f"{root}/job/{good}/result/image/page-1.jpg")
        assert picture.status_code == 404
        assert picture.json()["detail"].startswith("Image not found")
        named = await api.client.get(f"{root}/supported_file_extensions", headers={"Authorization": ""})
        assert (named.status_code, named.json()) == (200, [*EXTENSIONS])

    await api.client.delete(f"/v1/batches/{batch.public_id}")
    gone = await api.client.get(f"/api/v2/parse/{good}")
    assert gone.status_code == 410
    assert "were deleted on" in gone.json()["detail"]


async def test_a_job_that_was_skipped_reads_as_the_earlier_one(api: Api, pool: Pool, llama: AsyncLlamaCloud) -> None:
    file = await kit.put(api, pool, "a.txt", b"Some words.")
    worker = kit.worker(api, pool, {file: b"Some words."})
    first = await kit.batch_of(pool, [file])
    await worker.work()
    again = await kit.batch_of(pool, [file, file])
    claims = [claim async for claim in _claims(worker)]
    large = SkipReason.SIZE_LIMIT_EXCEEDED
    for claim in claims:
        [item] = claim.items
        reason, twin = (large, None) if item.ord else (SkipReason.ALREADY_PROCESSED, (first.id, 0))
        done = Settled(item.ord, ItemState.SKIPPED, [], None, reason, twin=twin)
        async with pool.acquire() as connection:
            await settling.settle(connection, claim.batch, [Work(claim.shard, claim.lease, [done])], None)
        await worker.end(claim)

    found = await llama.parsing.get(kit.job_id(api, again), expand=["text_full", "job_metadata"])
    assert (found.job.status, found.job.id) == ("COMPLETED", kit.job_id(api, again))
    assert found.text_full == "Some words."
    assert found.job_metadata
    assert found.job_metadata["job_is_cache_hit"] is True
    assert (await llama.parsing.wait_for_completion(kit.job_id(api, again))).status == "COMPLETED"
    too_large = await llama.parsing.get(kit.job_id(api, again, 1))
    assert (too_large.job.status, too_large.job.error_message) == ("FAILED", f"DOCUMENT_TOO_LARGE: {large}")

    await api.client.delete(f"/v1/batches/{first.public_id}")
    with pytest.raises(llama_cloud.NotFoundError, match=r"an earlier job, which has been deleted"):
        await llama.parsing.get(kit.job_id(api, again), expand=["text"])


async def _claims(worker: Worker) -> AsyncIterator[Claim]:
    while claim := await worker.claim():
        yield claim
