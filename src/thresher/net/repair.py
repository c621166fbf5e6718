"""Response heads that the parser refuses and browsers read: what they skip is left out, what they merge is merged.

Used for heads that were refused, and never for others. The connection of a repaired answer is not used again, so
that nothing hangs on where it ends.
"""

import re

_END = re.compile(rb"\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:([^\0]*)", re.DOTALL)
_SINGLE = frozenset({b"content-length", b"transfer-encoding"})


def may_end(data: bytes | bytearray, seen: int) -> bool:
    """Whether there is an empty line that ends behind the first `seen` bytes of `data`, the only ones looked at before."""
    return _END.search(data, max(seen - 2, 0)) is not None


def head_and_rest(data: bytes) -> tuple[bytes, bytes]:
    """`data` cut behind its first empty line; the first part is empty where there is none."""
    data = data.lstrip(b"\r\n")  # empty lines before the status line mean nothing
    end = _END.search(data)
    return (data[: end.end()], data[end.end() :]) if end else (b"", data)


def repaired(head: bytes) -> bytes:
    """`head` without the lines that are no headers, and with at most one way to tell the body's end.

    RFC 9112 section 6.3: chunks take precedence over a length; a length that is said several times alike is one.
    """
    status, *lines = _LINE_END.split(head.rstrip(b"\r\n"))
    fields = [(match[1], match[2].strip()) for line in lines if (match := _LINE.fullmatch(line))]
    chunked = any(name.lower() == b"transfer-encoding" and b"chunked" in value.lower() for name, value in fields)
    kept, seen = [status], set[tuple[bytes, bytes]]()
    for name, value in fields:
        key = name.lower()
        if key == b"content-length":
            value = _one(value)
            if chunked:
                continue
        if key in _SINGLE:
            if (key, value) in seen:
                continue
            seen.add((key, value))
        kept.append(name + b": " + value)
    return b"\r\n".join([*kept, b"", b""])


def _one(length: bytes) -> bytes:
    values = {part.strip() for part in length.split(b",")}
    return values.pop() if len(values) == 1 else length
