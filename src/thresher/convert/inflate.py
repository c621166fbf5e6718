"""The content codings of HTTP (RFC 9110, section 8.4.1; RFC 7932; RFC 8878), each undone under a cap on its output.

A decoder takes (data, limit) and returns at most `limit` bytes; it raises Bomb beyond that and Broken for a stream
that is damaged or ends early. Nothing here knows headers, items or failure codes.
"""

from collections.abc import Callable
from typing import Any, cast

import brotli
import zstandard
from isal import isal_zlib

_STEP = 2**20  # output asked for at a time where the library does not grow its buffer by itself
_ZSTD_WINDOW = 2**23  # RFC 9659: a content coding's window is at most 8 MiB
_MEMBER_PEEK = 512  # input offered to the second and later gzip members or zstd frames, doubled as it is used up

_IsalError = cast("type[Exception]", isal_zlib.error)  # its stub calls the class an instance


class Bomb(Exception):
    """The stream holds more than the limit."""


class Broken(Exception):
    """The stream is not what it says, or ends before it is complete."""


def gzip(data: bytes, limit: int) -> bytes:
    """One or more gzip members (RFC 1952). What follows the last one, if it is not a member, is ignored as browsers do."""
    out, consumed = _member(data, 0, len(data), limit, wbits=31)
    if consumed == len(data):
        return out
    parts, total = [out], len(out)
    while data[consumed : consumed + 2] == b"\x1f\x8b":
        # Small offers: what a member leaves unused is copied, and a body may consist of a million tiny members.
        out, consumed = _member(data, consumed, _MEMBER_PEEK, limit - total, wbits=31)
        parts.append(out)
        total += len(out)
    return b"".join(parts)


def deflate(data: bytes, limit: int) -> bytes:
    """A zlib stream (RFC 1950), or the raw deflate data (RFC 1951) that some servers send under the same name."""
    if len(data) >= 2 and data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0:
        try:
            return _member(data, 0, len(data), limit, wbits=15)[0]
        except Broken:
            pass  # two bytes of raw deflate may look like a zlib header
    return _member(data, 0, len(data), limit, wbits=-15)[0]


def br(data: bytes, limit: int) -> bytes:
    """A Brotli stream (RFC 7932)."""
    decoder = brotli.Decompressor()
    parts: list[bytes] = []
    total, offered = 0, data
    try:
        while True:
            part = decoder.process(offered, output_buffer_limit=min(_STEP, limit - total + 1))
            parts.append(part)
            total += len(part)
            if total > limit:
                raise Bomb
            if decoder.is_finished():
                return b"".join(parts)
            if decoder.can_accept_more_data():
                raise Broken("the stream ends early")
            offered = b""
    except brotli.error as error:
        raise Broken(str(error)) from None


def zstd(data: bytes, limit: int) -> bytes:
    """One or more Zstandard frames (RFC 8878).

    Two passes: the reader can be stopped at the limit but does not tell a stream that ends early; the one-shot
    object tells, but cannot be stopped.
    """
    try:
        _measure_zstd(data, limit)
        parts: list[bytes] = []
        frames = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        position, offer = 0, len(data)
        while position < len(data):
            decoder = frames.decompressobj()
            while not decoder.eof and position < len(data):
                chunk = data[position : position + offer]
                position += len(chunk)
                offer *= 2
                parts.append(decoder.decompress(chunk))
            if not decoder.eof:
                raise Broken("the stream ends early")
            position -= len(decoder.unused_data)
            offer = _MEMBER_PEEK  # small, as with gzip: a body may consist of a million tiny frames
        return b"".join(parts)
    except zstandard.ZstdError as error:
        raise Broken(str(error)) from None


def _measure_zstd(data: bytes, limit: int) -> None:
    total = 0
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with decoder.stream_reader(data, read_across_frames=True) as reader:
        while part := reader.read(_STEP):
            total += len(part)
            if total > limit:
                raise Bomb


def _member(data: bytes, start: int, offer: int, limit: int, *, wbits: int) -> tuple[bytes, int]:
    """Undo the one deflate stream that starts at `start`. Returns its bytes and where it ends in `data`."""
    decoder: Any = isal_zlib.decompressobj(wbits=wbits)
    parts: list[bytes] = []
    total, position = 0, start
    try:
        while not decoder.eof:
            chunk = decoder.unconsumed_tail
            if not chunk:
                chunk = data[position : position + offer]
                position += len(chunk)
                offer *= 2
            part = decoder.decompress(chunk, limit - total + 1)
            parts.append(part)
            total += len(part)
            if total > limit:
                raise Bomb
            if not chunk and not part and not decoder.eof:
                raise Broken("the stream ends early")
    except _IsalError as error:
        raise Broken(str(error)) from None
    out = parts[0] if len(parts) == 1 else b"".join(parts)
    return out, position - len(decoder.unused_data)


DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": gzip,
    "x-gzip": gzip,
    "deflate": deflate,
    "br": br,
    "zstd": zstd,
}
