"""The stored form of one item's result: what was fetched and what was made of it, in one run of bytes.

    4 bytes   "THR" and the version, 1
    u32       length of the header (all numbers little-endian)
    header    JSON: url, headers of the response, charset, title, metadata, the verdict if there is one, content
              if the main one was asked for, the caller's `meta`, the lengths of the document's members as JSON, and the part table
    parts     "body" exactly as fetched (under zstd only if it came without a content coding);
              "document", always under zstd: JSON {markdown, text, links}
              "json", always under zstd, if a parser made something of the page: that, a JSON object
              "pages", always under zstd, if the document has pages: a JSON array of those of document.py
    u32       CRC-32 of all before it

The part table maps a name to [offset after the header, stored length, plain length, "zstd" or null]. Knows nothing
of packs or of the database.
"""

import functools
import struct
import threading
from collections.abc import Iterable
from typing import Any, cast

import orjson
import zstandard
from isal import isal_zlib

from thresher.convert.charset import decode
from thresher.convert.decode import decode_body
from thresher.convert.document import Document, Source
from thresher.domain.failure import ItemFailed

MAGIC = b"THR\x01"
_LENGTH = struct.Struct("<I")
_LEVEL = 3  # 160 us and 37 KB an item; higher levels save 3 % for twice the time
_SMALL = 128  # bytes; zstd makes shorter bodies longer

_DOCUMENT = ("markdown", "text", "links")  # members of the document part, in their order
_local = threading.local()

Part = tuple[bytes, int, str | None]


class FrameError(ValueError):
    """The bytes are not a whole, undamaged frame."""


def encode(source: Source, document: Document, meta: dict[str, Any], *, max_output_bytes: int | None = None) -> bytes:
    """The frame of a result. `meta` is the caller's and comes back as `header["meta"]`.

    Raises OverflowError if all that was made has, as JSON, more than `max_output_bytes`.
    """
    texts = [
        document.markdown,
        document.text,
        *(text for page in document.pages for text in (page.markdown, page.text)),
    ]
    if max_output_bytes is not None and (least := sum(map(len, texts))) > max_output_bytes:
        # Before it becomes JSON: where memory is at its limit, orjson does not fail, but ends the process.
        raise OverflowError(f"the document has {least} bytes or more")
    members = [orjson.dumps(value) for value in (document.markdown, document.text, document.links)]
    parsed = document.parsed if isinstance(document.parsed, bytes) else b""
    pages = orjson.dumps(document.pages) if document.pages else b""
    if max_output_bytes is not None and (size := sum(map(len, (*members, parsed, pages)))) > max_output_bytes:
        raise OverflowError(f"the document has {size} bytes")
    whole = b'{"markdown":%b,"text":%b,"links":%b}' % tuple(members)
    compressor = _compressor()
    body: Part = (source.body, len(source.body), None)
    if not source.content_encoding and len(source.body) > _SMALL:
        body = (compressor.compress(source.body), len(source.body), "zstd")
    parts = {"body": body, "document": (compressor.compress(whole), len(whole), "zstd")}
    for name, made in (("json", parsed), ("pages", pages)):
        if made:
            parts[name] = (compressor.compress(made), len(made), "zstd")
    table, offset = {}, 0
    for name, (stored, plain, coding) in parts.items():
        table[name] = [offset, len(stored), plain, coding]
        offset += len(stored)
    header = orjson.dumps(_header(source, document, meta) | {"document": [*map(len, members)], "parts": table})
    frame = b"".join((MAGIC, _LENGTH.pack(len(header)), header, *(stored for stored, _, _ in parts.values())))
    return frame + _LENGTH.pack(_crc(frame))


def _header(source: Source, document: Document, meta: dict[str, Any]) -> dict[str, Any]:
    return {
        "url": source.url,
        "content_type": source.content_type,
        "content_encoding": source.content_encoding,
        "kind": document.kind,
        "charset": document.charset,
        "charset_source": document.charset_source,
        "charset_certainty": document.charset_certainty,
        "title": document.title,
        "metadata": document.metadata,
        "meta": meta,
        **({"verdict": document.verdict.to_json()} if document.verdict else {}),
        **({"content": document.content} if document.content else {}),
    }


class Frame:
    """A frame read back. Parts are decompressed when they are first asked for."""

    def __init__(self, header: dict[str, Any], parts: memoryview) -> None:
        self.header = header
        self._parts = parts

    @classmethod
    def parse(cls, data: bytes | memoryview) -> "Frame":
        """Read a frame. Raises FrameError for anything that `encode` did not make, or that was changed since."""
        if len(data) < 12 or data[:4] != MAGIC:
            raise FrameError("not a frame")
        if _LENGTH.unpack_from(data, len(data) - 4)[0] != _crc(memoryview(data)[:-4]):
            raise FrameError("the frame is damaged: its checksum does not match")
        start = 8 + _LENGTH.unpack_from(data, 4)[0]
        try:
            header = orjson.loads(memoryview(data)[8:start])
        except ValueError:
            raise FrameError("the frame's header is damaged") from None
        if start > len(data) - 4 or not isinstance(header, dict) or not isinstance(header.get("parts"), dict):
            raise FrameError("the frame's header is damaged")
        return cls(header, memoryview(data)[start:-4])

    def source(self) -> Source:
        """What was converted, as it was fetched."""
        meta, about = self.header["meta"], (self.header["content_type"], self.header["content_encoding"])
        requested = next(iter(meta.get("redirects", ())), None)
        return Source(self.header["url"], self.body, *about, requested, meta.get("headers", {}))

    def document_part(self) -> dict[str, Any]:
        """{markdown, text, links}, decompressed once."""
        return self._document

    def document_json(self) -> dict[str, bytes]:
        """{markdown, text, links}, each as the JSON in which it is stored, for a reader that passes it on as JSON."""
        whole, found, start = self._part("document"), {}, 0
        try:
            for name, length in zip(_DOCUMENT, self.header["document"], strict=True):
                start += len(name) + 4  # a brace or a comma, two quotes, a colon
                found[name] = whole[start : start + length]
                start += length
        except (KeyError, TypeError, ValueError):
            start = -1
        if start != len(whole) - 1:
            raise FrameError("the document part is damaged: its members are not where the header says")
        return found

    @property
    def markdown(self) -> str:
        return cast(str, self._document["markdown"])

    @property
    def text(self) -> str:
        return cast(str, self._document["text"])

    @property
    def links(self) -> list[str]:
        return cast(list[str], self._document["links"])

    def json_size(self, names: Iterable[str], *, pages: bool = False) -> int:
        """Bytes of these members of the document, and of its pages, each as JSON. Decompresses nothing. Raises FrameError."""
        try:
            lengths = dict(zip(_DOCUMENT, self.header["document"], strict=True))
            of_pages = self.header["parts"]["pages"][2] if pages and "pages" in self.header["parts"] else 0
            return cast(int, sum((lengths[name] for name in names), of_pages))
        except (KeyError, TypeError, ValueError):
            raise FrameError("the frame's header is damaged") from None

    def is_larger(self, size: int) -> bool:
        """Whether the document, or the body without its codings, has more than so many bytes. Decompresses no more than
        that to find out. Raises FrameError.
        """
        try:
            if max(plain for _, _, plain, _ in self.header["parts"].values()) > size:
                return True
            decode_body(self.body, self.header.get("content_encoding"), size)
        except ItemFailed:
            return True
        except (TypeError, ValueError):
            raise FrameError("the frame's header is damaged") from None
        return False

    @property
    def body_size(self) -> int:
        """Bytes of `body`. Decompresses nothing. Raises FrameError."""
        try:
            return cast(int, self.header["parts"]["body"][2])
        except (KeyError, IndexError, TypeError):
            raise FrameError("the frame's header is damaged") from None

    @functools.cached_property
    def body(self) -> bytes:
        """The body exactly as it came over the wire, in its content coding."""
        return self._part("body")

    @functools.cached_property
    def pages(self) -> list[dict[str, Any]]:
        """The pages, each with the members of `DocumentPage`; none if the document has no pages."""
        if "pages" not in self.header["parts"]:
            return []
        try:
            return cast("list[dict[str, Any]]", orjson.loads(self._part("pages")))
        except orjson.JSONDecodeError:
            raise FrameError("the part pages is damaged") from None

    def html(self, limit: int) -> str | None:
        """The body as text, decoded as the conversion decoded it; None for a document, which is no text.

        Raises ItemFailed(decompression_bomb) over `limit`.
        """
        if self.header.get("kind") == "document":
            return None
        data = decode_body(self.body, self.header.get("content_encoding"), limit)
        return decode(data, self.header["charset"])

    def json(self, limit: int) -> str | None:
        """What a parser made of the page; without that, a body of JSON as the text of an object: as it came, or, of any

        other value, under `data`; else None. A body's numbers keep their digits, for nothing is read and written again.
        Raises ItemFailed as `html` does.
        """
        if "json" in self.header["parts"]:
            return self._part("json").decode()
        if self.header.get("kind") != "json":  # which also says that it is valid
            return None
        text = (self.html(limit) or "").replace("\0", "")  # as it was when it was found valid
        return text if text.lstrip().startswith("{") else f'{{"data": {text}}}'

    @functools.cached_property
    def _document(self) -> dict[str, Any]:
        try:
            made = orjson.loads(self._part("document"))
        except orjson.JSONDecodeError:
            raise FrameError("the document part is damaged") from None
        return cast(dict[str, Any], made)

    def _part(self, name: str) -> bytes:
        try:
            offset, stored, plain, coding = self.header["parts"][name]
            data = self._parts[offset : offset + stored]
            # The frame says its own size too; only the recorded one is allocated.
            if coding == "zstd" and zstandard.frame_content_size(data) != plain:
                raise FrameError(f"the part {name} is damaged: its size does not match")
            whole = _decompressor().decompress(data) if coding == "zstd" else bytes(data)
        except (KeyError, TypeError, ValueError, zstandard.ZstdError) as error:
            raise FrameError(f"the part {name} is damaged: {error}") from None
        if len(whole) != plain:
            raise FrameError(f"the part {name} is damaged: its size does not match")
        return whole


def _crc(data: bytes | memoryview) -> int:
    return isal_zlib.crc32(data)


@functools.cache
def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=_LEVEL)


def _decompressor() -> zstandard.ZstdDecompressor:
    # One a thread: the API reads frames in several, and a context serves one at a time.
    if (found := getattr(_local, "decompressor", None)) is None:
        found = _local.decompressor = zstandard.ZstdDecompressor()
    return cast(zstandard.ZstdDecompressor, found)
