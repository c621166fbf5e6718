"""ZIP packages (OOXML, OpenDocument, EPUB), unpacked under bounds before a library sees any of it, and packed anew.

What the directory says of sizes is not believed: bytes are counted while they are inflated. The library then reads an
archive that we have written: no entry twice, none overlapping, pictures and macros empty, no XML that is out to do harm.
"""

import io
import re
import struct
import zipfile
import zlib
from typing import cast
from xml.etree import ElementTree as ET

from isal import isal_zlib

from thresher.convert.documents.made import Bounds
from thresher.domain.failure import FailureCode, ItemFailed

Parts = dict[str, bytes]

_ENTRY = b"PK\1\2"
_TEXTS = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx", ".txt", "mimetype")
_DEEP = 1000  # elements in one another; the libraries' own stacks end at 4,000
_CHUNK = 4096  # bytes in which nesting is added up: it may grow by another 1,365 within one
_OPENS_NOTHING = (b"/>", b"<!", b"<?")
_ENTITY = b"<!ENTITY"
_WIDE_ENTITIES = tuple(_ENTITY.decode().encode(charset) for charset in ("utf-16-le", "utf-16-be"))
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # XML in UTF-16 becomes UTF-8
_DECLARATION = re.compile(r"<\?xml[^>]*\?>")
_ENCRYPTED = 1
# What is read and written of an archive (APPNOTE 6.3): the lengths of name and extra field in a local header; a local
# header; an entry of the directory; the directory's end.
_LENGTHS = struct.Struct("<26x2H")
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_UTF8 = 0x800
_NEW_YEAR = 0x21  # of 1980, the first day that there is
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, cast("type[Exception]", isal_zlib.error), struct.error,
    EOFError, NotImplementedError, ValueError, KeyError, OSError,
)  # fmt: skip


def unpack(data: bytes, bounds: Bounds) -> Parts:
    """The parts of the archive that are text, by name; all others are empty.

    Raises ItemFailed: document_too_large, document_encrypted, document_broken.
    """
    if (entries := data.count(_ENTRY)) > bounds.max_parts:
        limit = f"{bounds.max_parts} (THRESHER_DOCUMENT_MAX_PARTS)"
        raise ItemFailed(FailureCode.DOCUMENT_TOO_LARGE, f"the document has {entries} parts, the limit is {limit}")
    try:
        return _read(data, bounds)
    except _DAMAGED as error:
        raise broken(f"the archive is damaged: {error}") from None


def pack(parts: Parts) -> bytes:
    """An archive of these parts, not compressed: it is read at once."""
    out: list[bytes] = []
    directory: list[bytes] = []
    at = 0
    for name, content in parts.items():
        encoded = name.encode()
        told = (20, _UTF8, 0, 0, _NEW_YEAR, isal_zlib.crc32(content), len(content), len(content), len(encoded), 0)
        local = _LOCAL.pack(b"PK\3\4", *told) + encoded
        out += (local, content)
        directory.append(_CENTRAL.pack(_ENTRY, 20, *told, 0, 0, 0, 0, at) + encoded)
        at += len(local) + len(content)
    size = sum(map(len, directory))
    end = _END.pack(b"PK\5\6", 0, 0, len(directory), len(directory), size, at, 0)
    return b"".join((*out, *directory, end))


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
                content = _content(data, info, left)
                left -= len(content)
                if content.startswith(_WIDE):
                    content = _DECLARATION.sub("", content.decode("utf-16", "replace"), count=1).encode()
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


def _content(data: bytes, info: zipfile.ZipInfo, most: int) -> bytes:
    """What the entry holds, or its first `most` + 1 bytes. Not by zipfile: that takes ten times as long for a small part."""
    at = info.header_offset
    name, extra = _LENGTHS.unpack_from(data, at)
    start = at + _LENGTHS.size + name + extra
    if data[at : at + 4] != b"PK\3\4" or start + info.compress_size > len(data):
        raise zipfile.BadZipFile(f"there is no entry where {info.filename[:100]!r} should be")
    stored = memoryview(data)[start : start + info.compress_size]
    if info.compress_type == zipfile.ZIP_DEFLATED:
        content = isal_zlib.decompressobj(-15).decompress(stored, most + 1)
    elif info.compress_type == zipfile.ZIP_STORED:
        content = bytes(stored[: most + 1])
    else:
        raise NotImplementedError(f"{info.filename[:100]!r} is compressed by method {info.compress_type}")
    if len(content) <= most and isal_zlib.crc32(content) != info.CRC:
        raise zipfile.BadZipFile(f"the checksum of {info.filename[:100]!r} does not match")
    return content


def _check(name: str, content: bytes) -> None:
    """Refuse XML that declares entities, which no such document has to, or is nested beyond all reason.

    The nesting is added up in chunks, for speed. Who fools the count harms a converter child, which is what it is for.
    """
    if _ENTITY in content or (b"\0" in content and any(wide in content for wide in _WIDE_ENTITIES)):
        raise broken(f"the part {name[:100]} declares entities, which are not expanded")
    if len(content) <= len(b"<a>") * _DEEP or name.endswith((".html", ".htm")):  # HTML may leave elements open
        return
    count, depth, settled = content.count, 0, 0
    for start in range(0, len(content), _CHUNK):
        end = start + _CHUNK
        depth += count(b"<", start, end) - 2 * count(b"</", start, end + 1)
        if depth > _DEEP:  # at most: what opens nothing is only looked for when it matters
            depth -= sum(count(one, settled, end + 1) for one in _OPENS_NOTHING)
            settled = end
        if depth > _DEEP:
            raise broken(f"the part {name[:100]} has more than {_DEEP} elements in one another")
