"""ZIP packages (OOXML, OpenDocument, EPUB), unpacked under bounds before a library sees any of it, and packed anew.

What the directory says of sizes is not believed: bytes are counted while they are inflated. The library then reads an
archive that we have written: no entry twice, none overlapping, pictures and macros empty, no XML that is out to do harm.
"""

import io
import re
import zipfile
import zlib
from xml.etree import ElementTree as ET

from thresher.convert.documents.made import Bounds
from thresher.domain.failure import FailureCode, ItemFailed

Parts = dict[str, bytes]

_ENTRY = b"PK\1\2"
_TEXTS = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx", ".txt", "mimetype")
_DEEP = 1000  # elements in one another; the libraries' own stacks end at 4,000
_CHUNK = 4096  # bytes in which nesting is added up: it may grow by another 1,365 within one
_ENTITY = re.compile(rb"<!ENTITY|<\0!\0E\0N\0T\0I\0T\0Y\0|\0<\0!\0E\0N\0T\0I\0T\0Y")
_ENCRYPTED = 1


def unpack(data: bytes, bounds: Bounds) -> Parts:
    """The parts of the archive that are text, by name; all others are empty.

    Raises ItemFailed: document_too_large, document_encrypted, document_broken.
    """
    if (entries := data.count(_ENTRY)) > bounds.max_parts:
        limit = f"{bounds.max_parts} (THRESHER_DOCUMENT_MAX_PARTS)"
        raise ItemFailed(FailureCode.DOCUMENT_TOO_LARGE, f"the document has {entries} parts, the limit is {limit}")
    try:
        return _read(data, bounds)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError, OSError) as error:
        raise broken(f"the archive is damaged: {error}") from None


def pack(parts: Parts) -> bytes:
    """An archive of these parts, not compressed: it is read at once."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def tree(content: bytes | str) -> ET.Element:
    """The XML in a part; an empty element for one that is empty or no XML."""
    try:
        return ET.fromstring(content)  # noqa: S314 - what declares entities was refused, and nothing else is dangerous
    except (ET.ParseError, ValueError):
        return ET.Element("none")


def broken(detail: str) -> ItemFailed:
    return ItemFailed(FailureCode.DOCUMENT_BROKEN, detail[:300])


def _read(data: bytes, bounds: Bounds) -> Parts:
    parts: Parts = {}
    left = bounds.max_unpacked_bytes
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if info.flag_bits & _ENCRYPTED:
                raise ItemFailed(FailureCode.DOCUMENT_ENCRYPTED)
            if info.is_dir():
                continue
            content = b""
            if info.filename.lower().endswith(_TEXTS):
                with archive.open(info) as stream:
                    content = stream.read(left + 1)
                left -= len(content)
            if left < 0:
                limit = f"{bounds.max_unpacked_bytes} (THRESHER_DOCUMENT_MAX_UNPACKED_BYTES)"
                raise ItemFailed(
                    FailureCode.DOCUMENT_TOO_LARGE, f"the document unpacks to more bytes than the limit, {limit}"
                )
            _check(info.filename, content)
            parts[info.filename] = content
    if b"encryption-data" in parts.get("META-INF/manifest.xml", b""):  # OpenDocument encrypts part by part
        raise ItemFailed(FailureCode.DOCUMENT_ENCRYPTED)
    return parts


def _check(name: str, content: bytes) -> None:
    """Refuse XML that declares entities, which no such document has to, or is nested beyond all reason.

    The nesting is added up in chunks, for speed. Who fools the count harms a converter child, which is what it is for.
    """
    if _ENTITY.search(content):
        raise broken(f"the part {name[:100]} declares entities, which are not expanded")
    if name.endswith((".html", ".htm")):  # may leave elements open without nesting them
        return
    count, depth = content.count, 0
    for start in range(0, len(content), _CHUNK):
        end = start + _CHUNK
        opened = count(b"<", start, end) - count(b"<!", start, end + 1) - count(b"<?", start, end + 1)
        depth += opened - 2 * count(b"</", start, end + 1) - count(b"/>", start, end + 1)
        if depth > _DEEP:
            raise broken(f"the part {name[:100]} has more than {_DEEP} elements in one another")
