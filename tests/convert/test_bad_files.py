"""Documents that are out to do harm, or just broken: each ends by name within its limits, and its neighbour is converted."""

import asyncio
import io
import struct
import time
import zipfile

from tests.files import ole, pdf, zipped

from thresher.convert.converter import Converter, DocumentLimits
from thresher.convert.document import How, Source
from thresher.convert.documents.made import Bounds
from thresher.convert.process import Limits
from thresher.convert.sandbox import Sandbox
from thresher.domain.documents import ERROR_CODES, DocumentOptions
from thresher.domain.failure import FailureCode, ItemFailed

MIB = 2**20
BOUNDS = Bounds(max_pages=5, max_unpacked_bytes=16 * MIB, max_parts=1000)
GOOD = zipped.package(zipped.docx(zipped.paragraph("The barn is full.")))
TEXT = pdf.paragraphs("Grain", "Wheat and rye.")


def bomb() -> bytes:
    """64 MiB of nothing in 64 KB."""
    return zipped.package(zipped.docx(" " * 64 * MIB))


def lying() -> bytes:
    """The same, and the archive says that it holds ten bytes."""
    data = bytearray(bomb())
    for signature, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            if struct.unpack_from("<I", data, at + place)[0] > MIB:
                struct.pack_into("<I", data, at + place, 10)
    return bytes(data)


def locked() -> bytes:
    """A package whose entries are marked as encrypted."""
    data = bytearray(GOOD)
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + place] |= 1
    return bytes(data)


def many(count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in zipped.docx(zipped.paragraph("x")).items():
            archive.writestr(name, content)
        for n in range(count):
            archive.writestr(f"word/media/{n}.png", b"")
    return out.getvalue()


def entities() -> bytes:
    parts = zipped.docx(zipped.paragraph("x &e; y"))
    declared = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    return zipped.package(parts | {"word/document.xml": f"{declared}{parts['word/document.xml']!s}"})


def deep(kind: str) -> bytes:
    if kind == "odt":
        return zipped.package(
            zipped.odt(f"{'<text:section>' * 200_000}<text:p>x</text:p>{'</text:section>' * 200_000}")
        )
    if kind == "epub":
        return zipped.package(zipped.epub(f"{'<div>' * 200_000}x{'</div>' * 200_000}"))
    parts = zipped.pptx(("a", "b"))
    slide = str(parts["ppt/slides/slide1.xml"])
    opened = slide.replace("<p:spTree>", f"<p:spTree>{'<p:grpSp>' * 200_000}")
    return zipped.package(
        parts | {"ppt/slides/slide1.xml": opened.replace("</p:spTree>", f"{'</p:grpSp>' * 200_000}</p:spTree>")}
    )


def nested_mail(depth: int) -> bytes:
    head = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(depth))
    return f"Subject: x\r\nMIME-Version: 1.0\r\n{head}Content-Type: text/plain\r\n\r\nx\r\n".encode()


def cells(count: int) -> bytes:
    parts = zipped.xlsx({"A": [["x"]]})
    parts["xl/worksheets/sheet1.xml"] = f"<worksheet><sheetData><row>{'<c/>' * count}</row></sheetData></worksheet>"
    return zipped.package(parts)


def looped() -> bytes:
    """A page tree that is its own child."""
    return pdf.pdf(TEXT).replace(b"/Kids [10 0 R]", b"/Kids [ 2 0 R]")


BROKEN, ENCRYPTED = FailureCode.DOCUMENT_BROKEN, FailureCode.DOCUMENT_ENCRYPTED
LARGE, EMPTY, OTHER = FailureCode.DOCUMENT_TOO_LARGE, FailureCode.NO_TEXT, FailureCode.UNSUPPORTED_CONTENT
WIDE = '<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2000000000"/></w:tcPr><w:p/></w:tc></w:tr></w:tbl>'
CASES: dict[str, tuple[bytes, FailureCode, str]] = {
    "a password.pdf": (pdf.pdf(TEXT, password="pw"), ENCRYPTED, "password"),
    "half of it.pdf": (pdf.pdf(TEXT)[:300], BROKEN, "PDF"),
    "nothing but a signature.pdf": (b"%PDF-1.7\n" + bytes(5000), BROKEN, "PDF"),
    "pages in a circle.pdf": (looped(), BROKEN, ""),
    "a scan.pdf": (pdf.pdf(pdf.scan(), pdf.scan()), EMPTY, "2 pages"),
    "too long.pdf": (pdf.pdf(*[TEXT] * 6), FailureCode.TOO_MANY_PAGES, "the limit is 5"),
    "a picture.pdf": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", OTHER, "image/png"),
    "an archive.docx": (zipped.package({"a.txt": "x"}), OTHER, "application/zip"),
    "a slide show.odp": (zipped.package({"mimetype": "application/vnd.oasis.opendocument.presentation"}), OTHER, "presentation"),
    "a bomb.docx": (bomb(), LARGE, "THRESHER_DOCUMENT_MAX_UNPACKED_BYTES"),
    "a bomb that lies.docx": (lying(), LARGE, "THRESHER_DOCUMENT_MAX_UNPACKED_BYTES"),
    "60,000 parts.docx": (many(60_000), LARGE, "THRESHER_DOCUMENT_MAX_PARTS"),
    "entities.docx": (entities(), BROKEN, "entities"),
    "deep.odt": (deep("odt"), BROKEN, "elements in one another"),
    "deep.epub": (deep("epub"), BROKEN, "elements in one another"),
    "deep.pptx": (deep("pptx"), BROKEN, "elements in one another"),
    "cut.docx": (GOOD[: len(GOOD) // 2], BROKEN, "archive"),
    "no document.docx": (zipped.package({"word/document.xml.bak": "x"}), BROKEN, "word/document.xml"),
    "locked.docx": (locked(), ENCRYPTED, "password"),
    "locked.odt": (
        zipped.package(zipped.odt("") | {"META-INF/manifest.xml": "<m><manifest:encryption-data/></m>"}),
        ENCRYPTED,
        "password",
    ),
    "a password.docx": (ole.compound({"EncryptedPackage": b"x", "EncryptionInfo": b"x"}), ENCRYPTED, "password"),
    "a password.doc": (ole.doc("secret", encrypted=True), ENCRYPTED, "password"),
    "a password.xls": (ole.xls({"A": [["secret"]]}, encrypted=True), ENCRYPTED, "password"),
    "zeros.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument\0".encode("utf-16-le") + bytes(4000), BROKEN, ""),
    "a foreign one.ole": (ole.compound({"VisioDocument": b"x"}), OTHER, "OLE"),
    "empty.rtf": (b"{\\rtf1 }", EMPTY, "no text"),
    "empty.docx": (zipped.package(zipped.docx("")), EMPTY, "no text"),
    "empty.eml": (b"MIME-Version: 1.0\r\n\r\n", EMPTY, "no text"),
    "two million cells.xlsx": (cells(2_000_001), LARGE, "2000001 cells"),
    "many parts.eml": (nested_mail(1) + b"--b0\r\nContent-Type: text/plain\r\n\r\ny\r\n" * 1001, LARGE, "THRESHER_DOCUMENT_MAX_PARTS"),
    "deep.eml": (nested_mail(1500), BROKEN, "in one another"),
    "brackets.eml": (b"Content-Type: text/plain; x=" + b"(" * 5000 + b"\r\n\r\n", EMPTY, "no text"),
    "no end of addresses.eml": (b"To: " + b", ".join(b"a%d@x" % n for n in range(200_000)) + b"\r\n\r\n", BROKEN, "headers"),
    "a cell of two milliards of columns.docx": (zipped.package(zipped.docx(WIDE)), BROKEN, "more columns"),
}  # fmt: skip


async def make(timeout: float = 60) -> Converter:
    limits = DocumentLimits(timeout=timeout, bounds=BOUNDS)
    converter = Converter(
        timeout=60, memory_bytes=512 * MIB, max_decoded_bytes=64 * MIB, max_output_bytes=16 * MIB, documents=limits
    )
    await converter.start()
    return converter


async def outcome(converter: Converter, name: str, data: bytes, options: DocumentOptions | None = None) -> str:
    """The code and detail of its failure, or its text."""
    try:
        converted = await converter.convert(Source("https://x.example/", data, name=name), {}, How(document=options))
    except ItemFailed as failed:
        return f"{failed.failure.code}: {failed.failure.detail}"
    return f"ok: {converted.facts['text_chars']}"


async def test_every_bad_document_fails_by_name_and_its_neighbour_is_converted() -> None:
    converter = await make()
    try:
        wrong, pids = {}, set()
        for name, (data, code, word) in CASES.items():
            said = await outcome(converter, name, data)
            if not said.startswith(f"{code}: ") or word not in said:
                wrong[name] = said
            assert await outcome(converter, "good.docx", GOOD) == "ok: 17"
            pids.add(converter.documents_pid)
        assert wrong == {}
        assert len(pids) == 1  # none has even cost the child its life
        assert {code for _, code, _ in CASES.values()} <= ERROR_CODES.keys()
    finally:
        await converter.close()


async def test_a_file_of_text_may_be_larger_than_a_page_and_what_it_makes_no_larger_than_the_limit() -> None:
    limits = DocumentLimits(max_bytes=8 * MIB, bounds=BOUNDS)
    most = {"max_decoded_bytes": MIB, "max_output_bytes": 8 * MIB}
    converter = Converter(timeout=60, memory_bytes=512 * MIB, documents=limits, **most)
    await converter.start()
    try:
        assert await outcome(converter, "a.txt", b"some words\n" * 100_000) == "ok: 1100000"
        said = await outcome(converter, "a.txt", b"some words\n" * 500_000)
        assert said.startswith("conversion_limit: output: the document has 11000000 bytes or more")
    finally:
        await converter.close()


async def test_a_document_that_does_not_end_is_ended_and_delays_no_page() -> None:
    converter = await make(timeout=1)
    endless = pdf.pdf(TEXT + b"\n0 0 m 9 9 l S" * 3_000_000)
    try:
        started = time.monotonic()
        assert (await outcome(converter, "a.pdf", endless)).startswith("conversion_limit: time: not done after 1 s")
        first = converter.documents_pid
        assert await outcome(converter, "a.html", b"<p>page") == "ok: 4"
        assert await outcome(converter, "good.docx", GOOD) == "ok: 17"
        assert converter.documents_pid != first
        assert time.monotonic() - started < 30
    finally:
        await converter.close()


async def test_a_document_that_nobody_waits_for_any_more_delays_no_other() -> None:
    sandbox = Sandbox(600, Limits(600, 512 * MIB, 64 * MIB, 16 * MIB), BOUNDS)
    endless = pdf.pdf(TEXT + b"\n0 0 m 9 9 l S" * 3_000_000)
    await sandbox.start()
    try:
        first = sandbox.pid
        sources = [Source("https://x.example/", data) for data in (endless, endless, GOOD)]
        computed, sent, waits = [asyncio.create_task(sandbox.convert(source, {}, How())) for source in sources]
        await asyncio.sleep(0)  # all three are handed over
        sent.cancel()
        computed.cancel()
        assert (await waits).facts["text_chars"] == 17
        assert sandbox.pid != first
        assert {type(one) for one in await asyncio.gather(computed, sent, return_exceptions=True)} == {
            asyncio.CancelledError
        }
    finally:
        await sandbox.close()
