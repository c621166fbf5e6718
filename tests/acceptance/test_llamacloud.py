"""The unmodified official client of the parse API, as installed from the package index, drives a real server from files to results.

It validates every answer strictly, which it does not do by itself: a member that is missing or of another kind fails the test.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from llama_cloud import AsyncLlamaCloud, BadRequestError, NotFoundError
from tests.acceptance.served import KEY, Served
from tests.files import pdf, zipped
from tests.serve.conftest import private_room

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 1_000_000  # bytes of a file that is converted

ROWS = [["Fruit", "Price"], ["Apples", "3"], ["Pears", "4"]]
REPORT = pdf.pdf(
    pdf.paragraphs("Annual report", "The year was good."),
    pdf.paragraphs("Prices", "As of May.") + b"\n" + pdf.table(ROWS),
    info={"Title": "Annual report"},
)
PARAMETERS = {"job_name": "parse_raw_file_job", "parameters": {"lang": "en"}}
ENDED = ("completed", "failed", "cancelled")


def word(*words: str) -> bytes:
    return zipped.package(zipped.docx(zipped.heading("A letter") + "".join(map(zipped.paragraph, words))))


# Each document, its words, and how many pages it has.
GOOD: dict[str, tuple[bytes, str, int]] = {
    "report.pdf": (REPORT, "The year was good.", 2),
    "letter.docx": (word("Dear reader"), "Dear reader", 1),
    "slides.pptx": (zipped.package(zipped.pptx(["Intro", "Hello all"], ["Outro", "Good bye"])), "Hello all", 2),
    "prices.xlsx": (zipped.package(zipped.xlsx({"Fruit": ROWS, "More": [["Plums", 5]]})), "Apples", 2),
    "mail.eml": (
        b"From: ann@example.com\r\nTo: bob@example.com\r\nSubject: Hi\r\n\r\nSee you at noon.\r\n",
        "at noon",
        1,
    ),
    "page.html": (b"<!doctype html><title>P</title><h1>A page</h1><p>Of hypertext.</p>", "Of hypertext", 1),
    "table.csv": (b"name,age\nAnn,41\nBob,39\n", "Bob", 1),
    "notes.txt": ("Grüße aus Zürich".encode(), "Zürich", 1),
}
BAD: dict[str, tuple[bytes, str]] = {
    "locked.pdf": (pdf.pdf(pdf.paragraphs("Secret"), password="x"), "PDF_IS_PROTECTED"),
    "broken.pdf": (REPORT[:300], "PDF_IS_BROKEN"),
    "blank.pdf": (pdf.pdf(b""), "NO_DATA_FOUND_IN_FILE"),
    "picture.bin": (b"\x89PNG\r\n\x1a\n" + bytes(64), "UNSUPPORTED_FILE_TYPE"),
}
LARGE = {"large.txt": b"word " * (LIMIT // 4)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Served]:
    with private_room() as room:
        async with Served(room / "data", {"THRESHER_DOCUMENT_MAX_BYTES": str(LIMIT)}) as running:
            yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Served) -> AsyncIterator[AsyncLlamaCloud]:
    async with AsyncLlamaCloud(
        api_key=KEY, base_url=server.url, max_retries=0, _strict_response_validation=True
    ) as connected:
        yield connected


async def put(client: AsyncLlamaCloud, name: str, files: dict[str, bytes]) -> str:
    """A new directory with these files; its id."""
    made = await client.beta.directories.create(name=name, type="ephemeral")
    for display_name, data in files.items():
        added = await client.beta.directories.files.upload(
            made.id, upload_file=(display_name, data), display_name=display_name
        )
        assert (added.directory_id, added.display_name) == (made.id, display_name)
    return made.id


async def ended(client: AsyncLlamaCloud, job_id: str) -> Any:
    """The status of a batch job that has come to its end; its progress never goes back."""
    progress = 0.0
    async with asyncio.timeout(60):
        while (found := await client.beta.batch.get_status(job_id)).job.status not in ENDED:
            assert progress <= found.progress_percentage <= 100
            progress = found.progress_percentage
            await asyncio.sleep(0.1)
    return found


async def listed(client: AsyncLlamaCloud, job_id: str, **query: Any) -> dict[str, Any]:
    """The items of a batch job by their names, read in pages of three."""
    return {item.item_name: item async for item in client.beta.batch.job_items.list(job_id, limit=3, **query)}


async def test_a_directory_of_files_becomes_a_batch_whose_items_are_read_one_by_one(client: AsyncLlamaCloud) -> None:
    everything = {name: data for name, (data, *_) in (GOOD | BAD).items()} | LARGE
    directory = await put(client, "everything", everything)
    names = {file.display_name async for file in client.beta.directories.files.list(directory, page_size=4)}
    assert names == everything.keys()

    job = await client.beta.batch.create(directory_id=directory, job_config=PARAMETERS)
    assert (job.total_items, job.directory_id, job.job_type) == (len(everything), directory, "parse")
    found = await ended(client, job.id)
    assert (found.job.status, found.progress_percentage) == ("completed", 100)
    counts = (found.job.processed_items, found.job.failed_items, found.job.skipped_items)
    assert counts == (len(everything), len(BAD), 1)
    assert job.id in [each.id async for each in client.beta.batch.list(directory_id=directory)]

    items = await listed(client, job.id)
    assert list(items) == list(everything), "in the order in which they came"
    by_status = {status: await listed(client, job.id, status=status) for status in ("completed", "failed", "skipped")}
    assert {status: set(of) for status, of in by_status.items()} == {
        "completed": set(GOOD),
        "failed": set(BAD),
        "skipped": set(LARGE),
    }
    for status in ("pending", "processing", "cancelled"):
        assert not await listed(client, job.id, status=status)
    assert by_status["skipped"]["large.txt"].skip_reason == "size_limit_exceeded"
    for name, (_, code) in BAD.items():
        assert by_status["failed"][name].error_message.startswith(code), name

    for name, (_, words, pages) in GOOD.items():
        item = items[name]
        assert item.started_at <= item.completed_at
        result = await client.parsing.get(
            item.job_id, expand=["markdown", "text", "items", "metadata", "markdown_full"]
        )
        assert result.job.status == "COMPLETED"
        assert [page.page_number for page in result.markdown.pages] == list(range(1, pages + 1)), name
        assert words in " ".join(page.markdown for page in result.markdown.pages), name
        assert words in " ".join(page.text for page in result.text.pages), name
        assert len(result.items.pages) == len(result.metadata.pages) == pages
        assert all(page.success and page.items for page in result.items.pages), name
        assert words in result.markdown_full
        history = await client.beta.batch.job_items.get_processing_results(item.item_id)
        assert [each.job_type for each in history.processing_results] == ["parse"]
    report = await client.parsing.get(items["report.pdf"].job_id, expand=["items"])
    page = report.items.pages[1]
    assert (page.page_width, page.page_height) == pdf.A4
    assert [each.rows for each in page.items if each.type == "table"] == [ROWS]
    failed = await client.parsing.get(items["locked.pdf"].job_id)
    assert (failed.job.status, failed.job.error_message.split(":")[0]) == ("FAILED", "PDF_IS_PROTECTED")


async def test_what_was_processed_is_skipped_and_leads_to_the_result_unless_it_is_to_be_made_anew(
    client: AsyncLlamaCloud, server: Served
) -> None:
    story = word("Once upon a time")
    first = await put(client, "first", {"a.docx": story, "b.docx": word("The end")})
    one = await client.beta.batch.create(directory_id=first, job_config=PARAMETERS)
    await ended(client, one.id)
    made = await listed(client, one.id)
    second = await put(client, "second", {"again.docx": story, "c.docx": word("Another story")})

    two = await client.beta.batch.create(directory_id=second, job_config=PARAMETERS)
    assert (await ended(client, two.id)).job.skipped_items == 1
    items = await listed(client, two.id)
    assert {name: item.status for name, item in items.items()} == {"again.docx": "skipped", "c.docx": "completed"}
    assert (items["again.docx"].skip_reason, items["again.docx"].job_id) == ("already_processed", made["a.docx"].job_id)
    earlier = await client.parsing.get(items["again.docx"].job_id, expand=["markdown_full"])
    assert "Once upon a time" in earlier.markdown_full

    for parameters in ({"do_not_cache": True, "lang": "en"}, {"lang": "en", "page_prefix": "Page {pageNumber}: "}):
        anew = await client.beta.batch.create(directory_id=second, job_config={**PARAMETERS, "parameters": parameters})
        assert (await ended(client, anew.id)).job.skipped_items == 0
    prefixed = await client.parsing.get((await listed(client, anew.id))["c.docx"].job_id, expand=["markdown_full"])
    assert prefixed.markdown_full.startswith("Page 1: ")

    # It is a batch like any other on the other routes: explained, exported, in credits.
    batch = await server.info(two.id)
    assert (batch["counts"]["completed"], batch["counts"]["skipped"], batch["outcome"]) == (1, 1, "all_ok")
    lines = (await server.http.get(f"/v1/batches/{two.id}/export")).text.splitlines()
    assert sorted(json.loads(line)["status"] for line in lines) == ["completed", "skipped"]
    [again] = [item for item in await server.items(one.id) if item["name"] == "a.docx"]
    told = (await server.http.get(f"/v1/items/{again['id']}/explain")).json()
    assert told["status"] == "completed"


async def test_a_batch_is_cancelled_and_what_was_made_is_deleted(client: AsyncLlamaCloud, server: Served) -> None:
    directory = await put(client, "many", {f"{n}.docx": word(f"Number {n}") for n in range(30)})
    workers = server.processes("main work")
    for worker in workers:  # so that nothing is begun before the cancel
        worker.send_signal(signal.SIGSTOP)
    try:
        job = await client.beta.batch.create(directory_id=directory, job_config=PARAMETERS)
        assert (await client.beta.batch.get_status(job.id)).job.status == "pending"
        assert len(await listed(client, job.id, status="pending")) == 30
        cancelled = await client.beta.batch.cancel(job.id, reason="a mistake")
        assert (cancelled.status, cancelled.job_id) == ("cancelled", job.id)
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGCONT)
    assert (await ended(client, job.id)).job.status == "cancelled"
    assert len(await listed(client, job.id, status="cancelled")) == 30
    with pytest.raises(BadRequestError):
        await client.beta.batch.cancel(job.id)

    kept = await client.files.create(file=("kept.txt", b"Read me twice."), purpose="parse")
    link = await client.files.get(kept.id)
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(link.url)).content == b"Read me twice."
        assert (await anybody.get(link.url.replace("signature=", "signature=0"))).status_code in (403, 404)
    assert kept.id in [file.id async for file in client.files.list(page_size=2)]
    await client.files.delete(kept.id)
    for gone in (client.files.get(kept.id), client.beta.batch.get_status("bjb-unknown")):
        with pytest.raises(NotFoundError):
            await gone
    await client.beta.directories.delete(directory)
    with pytest.raises(NotFoundError):
        await client.beta.directories.get(directory)


async def test_one_file_is_parsed_by_one_call_and_a_directory_by_the_second_version_of_batches(
    client: AsyncLlamaCloud, tmp_path: Path
) -> None:
    path = tmp_path / "story.pdf"
    path.write_bytes(pdf.pdf(*(pdf.paragraphs(f"Chapter {n}", f"Words of {n}.") for n in (1, 2, 3))))
    for _ in range(2):  # the second time there is a result
        result = await client.parsing.parse(
            upload_file=path,
            tier="fast",
            version="latest",
            expand=["markdown", "text"],
            page_ranges={"target_pages": "2-3"},
        )
        assert [page.page_number for page in result.text.pages] == [2, 3]
        assert "Words of 3." in result.text.pages[1].text

    directory = await put(client, "second version", {"story.pdf": path.read_bytes(), "none.pdf": b"%PDF-1.4"})
    batch = await client.batches.create(
        source_directory_id=directory, config={"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}}
    )
    async with asyncio.timeout(60):
        while (found := await client.batches.get(batch.id, expand=["results"])).status not in ("COMPLETED", "FAILED"):
            await asyncio.sleep(0.1)
    assert (found.status, len(found.results)) == ("COMPLETED", 2)
    states = [(await client.parsing.get(each.job_reference.id)).job.status for each in found.results]
    assert states == ["COMPLETED", "FAILED"]
