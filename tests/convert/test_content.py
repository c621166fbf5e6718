"""What a body is, told by its bytes where they are plain, by its type where they are not, and never by a name."""

import bz2
import gzip
import io
import lzma
import tarfile
import wave
import zipfile

import pytest
import zstandard
from tests.files.zipped import package

from thresher.convert.content import classify
from thresher.domain.failure import FailureCode, ItemFailed

HTML = b"<!DOCTYPE html><html><title>T</title><p>p</p></html>"
XHTML = b'<?xml version="1.0"?>\n<!-- c --><!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml"><p>p</p></html>'
RSS = b'<?xml version="1.0"?><rss version="2.0"><channel><title>T</title></channel></rss>'
JSON = b' {"a": [1, 2.0, "x"]}'
OCTETS = "application/octet-stream"


@pytest.mark.parametrize(
    ("data", "content_type", "kind"),
    [
        (HTML, None, "html"),
        (HTML, OCTETS, "html"),
        (HTML, "application/json", "html"),
        (HTML, "application/rss+xml", "html"),
        (HTML, "application/pdf", "html"),
        (HTML, "text/html, text/html; charset=utf-8", "html"),
        (HTML, "text/plain", "text"),
        (XHTML, "application/xml", "html"),
        (XHTML, "application/xhtml+xml", "html"),
        (XHTML, None, "html"),
        (RSS, "text/html", "xml"),
        (RSS, "application/rss+xml; charset=utf-8", "xml"),
        (RSS, None, "xml"),
        (RSS[21:], "text/html", "xml"),
        (RSS[21:], OCTETS, "xml"),
        (b"<svg></svg>", "image/svg+xml", "xml"),
        (JSON, "application/json", "json"),
        (JSON, "application/vnd.api+json", "json"),
        (JSON, "text/html", "json"),
        (JSON, OCTETS, "json"),
        (JSON, None, "json"),
        (JSON[:-1], None, "text"),
        (JSON[:-1], "text/html", "html"),
        (b"a,b\n1,2\n", "text/csv", "table"),
        (b"a,b\n1,2\n", "application/vnd.ms-excel", "table"),
        (HTML, "application/vnd.ms-excel", "html"),
        (b"a\tb\n", "Text/Tab-Separated-Values", "table"),
        (b"a,b\n1,2\n", "text/plain", "text"),
        (b"# Title", "text/markdown", "text"),
        (b"plain", None, "text"),
        (b"plain", "application/x-unheard-of", "text"),
        (b"plain", "not a type at all", "text"),
        (b"p {}", "text/css", "code"),
        (b"", None, "text"),
        (b"", "application/json", "json"),
        ("<html><p>é".encode("utf-16-le"), None, "html"),
        ("\ufeff<?xml version='1.0'?><rss/>".encode("utf-16-be"), None, "xml"),
        ("Grüße, nichts weiter\n".encode("utf-16-be"), None, "text"),
        ("Grüße, nichts weiter\n".encode("utf-16-le"), "text/plain; charset=utf-16", "text"),
        (b"a page\x0b with a stray control byte in it, as things of an older time have" * 3, "text/plain", "text"),
        (b"<p>\0\x01</p>", "text/html", "html"),
    ],
)
def test_a_body_is_what_it_is_whatever_it_is_called(data, content_type, kind):
    assert classify(data, content_type).kind == kind


def zipped(*names: str, mimetype: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in (*(["mimetype"] if mimetype else []), *names):
            archive.writestr(name, mimetype or "grain " * 50)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("grain.txt"))
    return buffer.getvalue()


def sounding() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(256)) * 20)
    return buffer.getvalue()


OFFICE = "openxmlformats-officedocument"
BINARIES = [
    (b"%!PS-Adobe-3.0\n", "application/postscript"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
    (b"GIF89a\1\0\1\0\x80", "image/gif"),
    (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
    (b"BM\x36\0\0\0\0\0\0\0", "image/bmp"),
    (b"II*\0\x08\0\0\0", "image/tiff"),
    (b"\0\0\1\0\1\0\x10\x10", "image/vnd.microsoft.icon"),
    (b"\0\0\0\x20ftypavif\0\0\0\0", "image/avif"),
    (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic"),
    (b"8BPS\0\1", "image/vnd.adobe.photoshop"),
    (sounding(), "audio/wav"),
    (b"ID3\4\0\0\0\0\0\0", "audio/mpeg"),
    (b"\xff\xfb\x90\x64\0\0", "audio/mpeg"),
    (b"fLaC\0\0\0\x22", "audio/flac"),
    (b"OggS\0\2", "application/ogg"),
    (b"\0\0\0\x18ftypisom\0\0\2\0", "video/mp4"),
    (b"\x1a\x45\xdf\xa3\1\0\0\0", "video/webm"),
    (b"RIFF\x24\0\0\0AVI LIST", "video/x-msvideo"),
    (zipped("a.txt"), "application/zip"),
    (zipped("content.xml", mimetype="application/vnd.oasis.opendocument.presentation"), "opendocument.presentation"),
    (zipped("META-INF/MANIFEST.MF"), "application/java-archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "older Office"),
    (tarred(), "application/x-tar"),
    (gzip.compress(b"grain"), "application/gzip"),
    (bz2.compress(b"grain" * 99), "application/x-bzip2"),
    (lzma.compress(b"grain"), "application/x-xz"),
    (zstandard.compress(b"grain" * 99), "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c\0\4", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07\1\0", "application/vnd.rar"),
    (b"wOF2\0\1\0\0", "font/woff2"),
    (b"wOFF\0\1\0\0", "font/woff"),
    (b"\0\1\0\0\0\x0c\0\x80", "font/ttf"),
    (b"OTTO\0\x0c", "font/otf"),
    (b"\x7fELF\2\1\1\0", "ELF"),
    (b"MZ\x90\0\3", "Windows"),
    (b"\xca\xfe\xba\xbe\0\0\0\x34", "Java"),
    (b"\0asm\1\0\0\0", "application/wasm"),
    (b"SQLite format 3\0\x10", "application/vnd.sqlite3"),
    (b"PAR1\x15\4\x15", "application/vnd.apache.parquet"),
    (b"ARROW1\0\0", "application/vnd.apache.arrow"),
    (b"\x89HDF\r\n\x1a\n\0", "application/x-hdf5"),
]


@pytest.mark.parametrize(("data", "name"), BINARIES, ids=[name for _, name in BINARIES])
def test_binary_data_is_refused_by_the_name_of_its_kind_whatever_it_is_called(data, name):
    for content_type in (None, OCTETS, "text/html; charset=utf-8", "text/plain", "application/json", "text/csv"):
        with pytest.raises(ItemFailed, match=name) as caught:
            classify(data, content_type)
        assert caught.value.failure.code is FailureCode.UNSUPPORTED_CONTENT


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# A text document lies in it as it is, and is not what it is.
EMBEDDING = package(
    {"ppt/presentation.xml": "", "ppt/embeddings/a.docx": zipped("word/document.xml")}, zipfile.ZIP_STORED
)
DOCUMENTS = [
    (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "pdf"),
    (b"\r\n%PDF-1.4 only readable bytes", "pdf"),
    (b"{\\rtf1\\ansi grain}", "rtf"),
    (zipped("[Content_Types].xml", "word/document.xml"), "docx"),
    (zipped("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
    (EMBEDDING, "pptx"),
    (zipped("content.xml", mimetype="application/vnd.oasis.opendocument.text"), "odt"),
    (zipped("content.xml", mimetype="application/vnd.oasis.opendocument.spreadsheet"), "ods"),
    (zipped("META-INF/container.xml", mimetype="application/epub+zip"), "epub"),
    (OLE + "WordDocument\0".encode("utf-16-le"), "doc"),
    (OLE + "Workbook\0".encode("utf-16-le"), "xls"),
    (OLE + "PowerPoint Document\0".encode("utf-16-le"), "ppt"),
    (OLE + "__properties_version1.0\0".encode("utf-16-le"), "msg"),
]


@pytest.mark.parametrize(("data", "form"), DOCUMENTS, ids=[form for _, form in DOCUMENTS])
def test_documents_are_told_by_what_they_begin_with_whatever_they_are_called(data, form):
    for content_type in (None, OCTETS, "text/html; charset=utf-8", "text/plain", "application/json", "application/pdf"):
        assert classify(data, content_type, "a.txt") == ("document", form)


def test_the_name_of_a_file_counts_where_nothing_else_is_known():
    assert classify(b"Subject: x\n\ny", None, "a.EML") == ("document", "eml")
    assert classify(b"Subject: x\n\ny", "message/rfc822") == ("document", "eml")
    assert classify(b"a,b\n1,2", OCTETS, "a.csv").kind == "table"
    assert classify(b"a,b\n1,2", "text/html", "a.csv").kind == "html"
    assert classify(b"text", None, "a.docx").kind == "text"
    assert classify(b"\n\x01\x02 some bytes\n%PDF-1.4", "application/pdf") == ("document", "pdf")


@pytest.mark.parametrize("content_type", ["image/png", "audio/mpeg", "video/mp4", "font/woff2"])
def test_what_is_declared_as_media_is_believed_to_be(content_type):
    with pytest.raises(ItemFailed, match=content_type):
        classify(b"whatever it is", content_type)


def test_text_that_begins_like_a_signature_is_text():
    for start in (b"BM is short", b"MZ is", b"CWS", b"ORC", b"FORM", b"ID3", b"PAR1", b"OTTO", b"MThd", b"II*"):
        assert classify(start + b" for something else\n", "text/plain").kind == "text"
        assert classify(start + b" for something else\n", None).kind == "text"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", [b"<?", b"<?a?>", b"<!--", b"<!---->", b"<!doctype ", b" ", b"<", b"{", b"["])
def test_no_repetition_makes_the_look_at_the_first_bytes_slow(unit):
    for _ in range(20):
        for content_type in (None, "text/html", "application/xml"):
            classify(unit * (100_000 // len(unit)), content_type)
