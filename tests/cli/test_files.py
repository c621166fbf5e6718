"""`thresher batch` with documents: uploaded and converted beside URLs, whatever breaks off, and sent once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.served import Served
from tests.cli.kit import FIELDS, Cli, rows_of
from tests.cli.proxy import CuttingProxy
from tests.files import pdf, zipped

pytestmark = pytest.mark.asyncio(loop_scope="session")

PDF = pdf.pdf(pdf.paragraphs("Annual report", "All is well."), pdf.paragraphs("Outlook", "Better."))


def fill(folder: Path) -> None:
    """A folder as people have them."""
    (folder / "more" / "old").mkdir(parents=True)
    (folder / "report.pdf").write_bytes(PDF)
    (folder / "more" / 'ü "x".docx').write_bytes(zipped.package(zipped.docx(zipped.heading("Letter"))))
    (folder / "more" / "old" / "broken.pdf").write_bytes(b"%PDF-1.4 and no more")
    (folder / "more" / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "notes.txt").write_text("Only words.", "utf-8")
    (folder / "more" / "empty.pdf").touch()
    (folder / "more" / "two\nlines.txt").write_text("More words.", "utf-8")


async def uploaded(server: Served) -> list[dict[str, Any]]:
    """All files of the account, in the order in which they came."""
    page = (await server.http.get("/api/v1/beta/files?page_size=1000")).json()
    assert page["next_page_token"] is None
    found: list[dict[str, Any]] = page["items"]
    return found


def ids(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["custom_id"] for row in rows]


async def test_documents_folders_urls_and_lists_are_one_batch_in_their_order(cli: Cli, server: Served) -> None:
    fill(cli.folder)
    listed = ["file,url,custom_id", "notes.txt,,words", ",http://a.example/page/1,", "report.pdf,,"]
    cli.write("list.csv", listed)
    before = len(await uploaded(server))
    given = ("report.pdf", "more/", "http://b.example/page/2", "list.csv")
    ended = await cli.run("batch", *given, "-o", "out.jsonl", "--format", "pages")
    assert (ended.code, ended.out) == (3, ""), ended.err
    assert "1 files in folders are none that is converted" in ended.err
    assert "These files are left out:\nmore/empty.pdf is empty\n" in ended.err
    assert "8 items: 7 completed, 1 failed" in ended.err
    rows = rows_of(cli.folder / "out.jsonl")
    places = [
        "report.pdf",
        "more/two\nlines.txt",
        'more/ü "x".docx',
        "more/old/broken.pdf",
        rows[4]["custom_id"],
        "words",
        rows[6]["custom_id"],
    ]
    assert ids(rows) == [*places, "report.pdf"]
    assert [row["name"] for row in rows if "name" in row] == [
        "report.pdf",
        "two_lines.txt",
        'ü "x".docx',
        "broken.pdf",
        "notes.txt",
        "report.pdf",
    ]
    report, _, letter, broken, page, words, _, twice = rows
    assert list(report) == [*FIELDS[:8], "pages", *FIELDS[8:], "file_id", "name"]
    assert (report["url"], report["file_id"]) == (f"file:{report['file_id']}", twice["file_id"])
    assert report["markdown"].startswith("# Annual report")
    assert [(one["number"], one["items"][0]["value"]) for one in report["pages"]] == [
        (1, "Annual report"),
        (2, "Outlook"),
    ]
    assert (letter["markdown"], words["markdown"], words["pages"][0]["items"][0]["type"]) == (
        "# Letter",
        "Only words.",
        "text",
    )
    assert (broken["error"]["code"], broken["pages"]) == ("document_broken", None)
    assert (page["url"], page["pages"], "file_id" in page) == ("http://b.example/page/2", None, False)
    assert len(await uploaded(server)) == before + 5

    again = await cli.run("batch", cli.write("failed.jsonl", [json.dumps(broken)]))
    assert [(row["custom_id"], row["file_id"], row["status"]) for row in again.rows] == [
        ("more/old/broken.pdf", broken["file_id"], "failed")
    ]
    body = {"item_ids": [report["file_id"]], "job_config": {}}
    job = (await server.http.post("/api/v1/beta/batch-processing", json=body)).json()
    read = await cli.run("results", job["id"], "--format", "pages")
    assert (read.code, [len(row["pages"]) for row in read.rows]) == (0, [2]), read.err


async def test_a_forecast_of_documents_uploads_none_of_them(cli: Cli, server: Served) -> None:
    fill(cli.folder)
    before = await uploaded(server)
    cli.write("list.jsonl", [json.dumps({"file": "notes.txt"}), json.dumps({"url": "nonsense"})])
    told = await cli.run("batch", "report.pdf", "more", "list.jsonl", "--dry-run")
    assert told.code == 2, told.err
    assert told.out.startswith("Items: 6, different URLs: 0, files: 5, hosts: 0\nRefused: 1. ")
    assert "  list.jsonl line 2: " in told.out
    assert "Credits: 5 at most" in told.out
    assert await uploaded(server) == before


async def test_what_cannot_be_sent_submits_nothing_and_is_named(cli: Cli) -> None:
    fill(cli.folder)
    cli.write("list.csv", ["file", "report.pdf", "none.pdf"])
    ended = await cli.run("batch", "list.csv", "-o", "out.jsonl")
    assert (ended.code, ended.out) == (2, "")
    assert "list.csv line 3: none.pdf cannot be read: No such file" in ended.err
    assert "Nothing was submitted." in ended.err
    ended = await cli.run("batch", "notes.txt")
    assert ended.code == 2
    assert "notes.txt line 1, url: not a valid absolute URL; --files takes it as a document" in ended.err


async def test_answers_that_break_off_and_a_command_that_goes_on_send_no_file_twice(cli: Cli, server: Served) -> None:
    names = [f"{n}.txt" for n in range(70)]  # more than a slice has
    for name in names:
        (cli.folder / name).write_text(f"words {name}", "utf-8")
    before = len(await uploaded(server))
    async with CuttingProxy(server.url, {"POST /api/v1/beta/files": 10}) as proxy:
        words = ("batch", *names, "--files", "-o", "out.jsonl", "--format", "text")
        ended = await cli.run(*words, THRESHER_URL=proxy.url, THRESHER_CLIENT_PATIENCE="0")
    assert ended.code == 1, ended.err
    assert len(await uploaded(server)) > before
    cuts = {"POST /api/v1/beta/files": 10, "/items": 0}
    async with CuttingProxy(server.url, cuts) as proxy:
        again = await cli.run(*cli.onward(ended.err), "--no-wait", THRESHER_URL=proxy.url)
        assert proxy.cut == dict.fromkeys(cuts, 1)
    assert again.code == 0, again.err
    done = (await server.http.post(f"/v1/batches/{again.out.strip()}/cancel")).json()
    assert done["total_urls"] == len(names)
    assert sorted(one["name"] for one in (await uploaded(server))[before:]) == sorted(names)
