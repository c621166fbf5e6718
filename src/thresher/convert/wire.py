"""The messages between a worker and its converter child: u32 header length, u32 body length, JSON header, body.

One form for both directions. Shared by child.py (blocking) and sandbox.py (asyncio); knows no processes.
"""

import struct
from typing import Any, BinaryIO

import orjson

PREFIX = struct.Struct("<II")


def pack(header: dict[str, Any], body: bytes = b"") -> tuple[bytes, bytes]:
    """A message as two buffers, to be written one after the other: the body is not copied."""
    head = orjson.dumps(header)
    return PREFIX.pack(len(head), len(body)) + head, body


def read(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next message from a buffered blocking stream, or None where it ends, be it in the middle of one."""
    prefix = stream.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    head_length, body_length = PREFIX.unpack(prefix)
    head, body = stream.read(head_length), stream.read(body_length)
    if len(head) < head_length or len(body) < body_length:
        return None
    return orjson.loads(head), body
