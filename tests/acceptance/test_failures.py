"""One batch, through a real worker and real origins, in which an item ends with every code of the table of failures."""

import gzip
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from tests.files import pdf, zipped
from tests.origins.raw import Blackhole, RawOrigin, Responder, redirect, reply, sends
from tests.origins.script import PAGE, WHOLE, Script, raw
from tests.origins.stage import Stage
from tests.pages.verdicts import NOT_THE_PAGE
from tests.support.cluster import Cluster, submit, until_done
from tests.support.invariants import check_done

from thresher.domain.failure import FailureCode
from thresher.storage.database import Pool

TESTS = Path(__file__).parent.parent
ODD = (str(Path(__file__).parent / "odd_worker.py"),)
MIB = 2**20
HTML = {"Content-Type": "text/html"}
LIMITS = {
    "THRESHER_RETRIES": "0",
    "THRESHER_CONNECT_TIMEOUT": "2",
    "THRESHER_ATTEMPT_TIMEOUT": "4",
    "THRESHER_MAX_BODY_BYTES": str(MIB),
    "THRESHER_MAX_DECODED_BYTES": str(2 * MIB),
    "THRESHER_MAX_OUTPUT_BYTES": "200000",
    "THRESHER_DOCUMENT_MAX_PAGES": "2",
    "THRESHER_DOCUMENT_MAX_UNPACKED_BYTES": str(MIB),
    "THRESHER_OCR_DATA": "/nonexistent",
}

# Codes that come of more than what one origin does, and the tests that bring each about for real.
ELSEWHERE = {
    FailureCode.PROXY_FAILED: ("net/test_proxy.py", "test_a_proxy_that_is_down_has_its_code_and_nothing_goes_past_it"),
    FailureCode.FILE_GONE: (
        "engine/test_files.py",
        "test_files_are_converted_skipped_or_fail_by_name_and_mix_with_urls",
    ),
    FailureCode.CONVERSION_FAILED: (
        "pipeline/test_item.py",
        "test_a_page_that_kills_its_converter_twice_fails_by_name",
    ),
    **dict.fromkeys(
        (FailureCode.PARSER_NO_MATCH, FailureCode.PARSER_FAILED),
        (
            "pipeline/test_item.py",
            "test_a_page_is_parsed_as_the_batch_wants_and_a_parser_without_a_result_fails_by_name",
        ),
    ),
    FailureCode.PAGE_GONE: (
        "engine/test_pages.py",
        "test_a_parser_that_was_broken_is_applied_anew_to_what_is_stored_without_a_request",
    ),
    FailureCode.WORKER_LOST: (
        "engine/test_crash.py",
        "test_an_item_that_kills_its_workers_is_found_and_fails_by_name_and_no_other_with_it",
    ),
    FailureCode.DEADLINE: ("engine/test_flow.py", "test_an_expired_batch_ends_with_what_it_has"),
    FailureCode.CANCELLED: ("api/test_export.py", "test_a_stopped_batch_shows_what_was_not_finished_behind_what_was"),
    FailureCode.INTERNAL: ("engine/test_flow.py", "test_a_bug_never_leaves_a_batch_at_n_minus_one"),
    FailureCode.CONTENT_UNAVAILABLE: (
        "api/test_export.py",
        "test_content_that_is_missing_or_damaged_is_said_so_in_its_line",
    ),
}


def _shown(code: FailureCode) -> Responder:
    """The first answer of our collection that must be recognised as such, and needs nothing but its own text."""
    pages = (p for p in NOT_THE_PAGE if p.code == code and not p.headers and not p.requested)
    return reply(next(pages).html.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


def _packed(body: bytes) -> Responder:
    return reply(body, headers=HTML | {"Content-Encoding": "gzip"})


def _document(body: bytes) -> Responder:
    return reply(body, headers={"Content-Type": "application/octet-stream"})


SHEET = pdf.paragraphs("Grain", "Wheat and rye.")
SCRIPTS = {
    FailureCode.INVALID_URL: redirect("ftp://ftp.example/"),
    FailureCode.ROBOTS_DISALLOWED: sends(WHOLE),
    FailureCode.TIMEOUT: sends(b""),
    FailureCode.MALFORMED_RESPONSE: raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
    FailureCode.TOO_MANY_REDIRECTS: redirect("/"),
    FailureCode.TOO_LARGE: reply(bytes(MIB + 1), headers=HTML),
    FailureCode.DECOMPRESSION_BOMB: _packed(gzip.compress(bytes(3 * MIB))),
    FailureCode.BAD_ENCODING: _packed(PAGE),
    FailureCode.RATE_LIMITED: reply(b"slower", 429),
    FailureCode.HTTP_4XX: reply(PAGE, 410, HTML),
    FailureCode.HTTP_5XX: reply(PAGE, 500, HTML),
    FailureCode.SITE_BLOCKED: _shown(FailureCode.SITE_BLOCKED),
    FailureCode.LOGIN_REQUIRED: _shown(FailureCode.LOGIN_REQUIRED),
    FailureCode.SOFT_404: _shown(FailureCode.SOFT_404),
    FailureCode.EMPTY_PAGE: _shown(FailureCode.EMPTY_PAGE),
    FailureCode.UNSUPPORTED_CONTENT: reply(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", headers={"Content-Type": "image/png"}),
    FailureCode.DOCUMENT_ENCRYPTED: _document(pdf.pdf(SHEET, password="secret")),
    FailureCode.DOCUMENT_BROKEN: _document(b"%PDF-1.7 and no more"),
    FailureCode.DOCUMENT_TOO_LARGE: _document(zipped.package(zipped.docx(" " * 2 * MIB))),
    FailureCode.TOO_MANY_PAGES: _document(pdf.pdf(SHEET, SHEET, SHEET)),
    FailureCode.NO_TEXT: _document(pdf.pdf(pdf.scan())),
    FailureCode.CONVERSION_LIMIT: reply(PAGE + b"<p>wheat " * 100_000, headers=HTML),
}
FORBIDDEN = {"/robots.txt": reply(b"User-agent: *\nDisallow: /")}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[dict[str, str], dict[str, str]]]:
    """Origins for every code. Gives the URLs by what must become of them, and the worker's settings."""
    scripts = [
        Script(code, respond, paths=FORBIDDEN if code is FailureCode.ROBOTS_DISALLOWED else None)
        for code, respond in SCRIPTS.items()
    ]
    good = Script("ok", sends(WHOLE))
    untrusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("tls.example").configure_cert(untrusted)
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage([*scripts, good]))
        tls = await stack.enter_async_context(RawOrigin({}, tls=untrusted))
        hole = stack.enter_context(Blackhole())
        closed = stack.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))  # bound, and not listening
        ports = {"tls": tls.port, "hole": hole.port, "closed": closed.getsockname()[1]}
        rules = [f"{name}.example:*=127.0.0.1:{port}" for name, port in ports.items()]
        urls = {script.name: stage.url_of(script) for script in [*scripts, good]} | {
            FailureCode.BLOCKED_ADDRESS: "http://10.0.0.1:8099/",
            FailureCode.DNS_NOT_FOUND: "http://unknown.example:8080/",
            FailureCode.DNS_FAILED: "http://silent.example:8080/",
            FailureCode.CONNECT_REFUSED: "http://closed.example/",
            FailureCode.CONNECT_TIMEOUT: "http://hole.example/",
            FailureCode.TLS_ERROR: "https://tls.example/",
        }
        connect = ",".join([*rules, stage.rule])
        yield urls, LIMITS | {"THRESHER_CONNECT_TO": connect, "THRESHER_FETCH_ALLOW": "127.0.0.0/8"}


async def test_a_batch_in_which_an_item_ends_with_every_code(
    world: tuple[dict[str, str], dict[str, str]], database_url: str, tmp_path: Path, pool: Pool
) -> None:
    urls, settings = world
    assert set(urls) == {"ok", *FailureCode} - set(ELSEWHERE)
    async with Cluster(database_url, tmp_path, settings) as cluster:
        await cluster.start(1, ODD)
        batch = await until_done(pool, await submit(pool, list(urls.values())))
    await check_done(pool, batch)
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT ref, failure, detail, billed, attempts FROM item WHERE batch_id = $1", batch.id
        )
    assert {row["ref"]: row["failure"] or "ok" for row in rows} == {url: str(code) for code, url in urls.items()}
    assert batch.completed == batch.billed == 1
    for row in rows:
        assert row["attempts"][-1]["code"] == (row["failure"] or "ok")
        assert bool(row["detail"]) == bool(row["failure"])
        assert row["billed"] == (row["failure"] is None)


@pytest.mark.parametrize("code", ELSEWHERE)
def test_every_other_code_is_brought_about_in_another_test(code: FailureCode) -> None:
    file, name = ELSEWHERE[code]
    text = (TESTS / file).read_text("utf-8")
    body = re.split(r"^(?:async )?def ", text.partition(f"def {name}(")[2], flags=re.MULTILINE)[0]
    assert re.search(rf"FailureCode\.{code.name}\b|[\"']{code}[\"']", body)
