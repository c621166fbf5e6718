"""The first bytes of a body that may be cut off, or larger than anyone wants: as many as can be decoded, up to a limit.

For what is read from its beginning, such as robots.txt. A page is decoded whole or not at all (convert/decode.py).
"""

import zlib
from collections.abc import Callable

import brotli
import zstandard

_ZSTD_WINDOW = 2**23  # RFC 9659


def decode_prefix(body: bytes, content_encoding: str | None, limit: int) -> bytes:
    """At most `limit` bytes. What is damaged, or in no known coding, ends where it is: perhaps at nothing."""
    codings = [name.strip().lower() for name in (content_encoding or "").split(",")]
    for name in reversed([name for name in codings if name not in ("", "identity")]):
        decoder = _DECODERS.get(name)
        body = decoder(body, limit) if decoder is not None else b""
    return body[:limit]


def _inflate(body: bytes, limit: int, wbits: int) -> bytes:
    try:
        return zlib.decompressobj(wbits).decompress(body, limit)
    except zlib.error:
        return b""


def _gzip(body: bytes, limit: int) -> bytes:
    return _inflate(body, limit, 31)


def _deflate(body: bytes, limit: int) -> bytes:
    return _inflate(body, limit, 15) or _inflate(body, limit, -15)


def _br(body: bytes, limit: int) -> bytes:
    try:
        return bytes(brotli.Decompressor().process(body, output_buffer_limit=limit))
    except brotli.error:
        return b""


def _zstd(body: bytes, limit: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        with decoder.stream_reader(body, read_across_frames=True) as reader:
            return reader.read(limit)
    except zstandard.ZstdError:
        return b""


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _br,
    "zstd": _zstd,
}
