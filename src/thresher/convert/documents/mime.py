"""A mail cut into its parts (RFC 2046) where its boundaries stand, without a look at what is between them.

`email` reads the headers, but not the bodies: it would take an attachment line by line, in ten times its memory.
"""

import email.policy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from thresher.convert.documents.made import Bounds
from thresher.convert.documents.package import broken
from thresher.domain.failure import FailureCode, ItemFailed

_DEEP = 50  # parts in one another; each costs another look at what is in it
_LONGEST_HEAD = 2**20  # bytes
_LONGEST_PARSED = 8192  # characters of a header; the library takes a time that grows with their square
_NEWLINE = ord("\n")


@lru_cache(maxsize=256)
def _parsed(name: str, value: str) -> Any:
    try:
        return email.policy.default.header_factory(name, "".join(value.splitlines()))
    except Exception:  # the library's parser of headers fails in many ways
        return value


class _Policy(email.policy.EmailPolicy):
    """The default one; a header is parsed once, not every time that somebody asks for it."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        if hasattr(value, "name") or len(value) > _LONGEST_PARSED:
            return value
        return _parsed(name, value)


_POLICY = _Policy(message_factory=EmailMessage)
_HEADERS = BytesHeaderParser(policy=_POLICY)


@dataclass(frozen=True, slots=True)
class Part:
    """One that has no parts. `kind`: its media type; `name`: that of a file, None if it is none."""

    head: EmailMessage
    body: memoryview
    kind: str
    attached: bool
    name: str | None

    def text(self) -> str:
        """What it says, decoded, with lines that end as on Unix and without NULs."""
        self.head.set_payload(bytes(self.body).decode("ascii", "surrogateescape"))
        raw = _told(lambda: self.head.get_payload(decode=True), b"")
        data = raw if isinstance(raw, bytes) else b""
        try:
            text = data.decode(_told(self.head.get_content_charset, None) or "utf-8", "replace")
        except (LookupError, ValueError):
            text = data.decode("utf-8", "replace")
        return text.replace("\r\n", "\n").replace("\0", "")


def read(data: bytes, bounds: Bounds) -> tuple[EmailMessage, list[Part]]:
    """The headers of a mail, and its parts in their order. Raises ItemFailed: document_broken, document_too_large."""
    mail, start = _head(data, 0, len(data))
    parts: list[Part] = []
    waiting, seen = [(mail, start, len(data), 0)], 1
    while waiting:
        head, start, end, depth = waiting.pop()
        kind = _told(head.get_content_type, "text/plain")
        boundary = _told(head.get_boundary, None) if kind.startswith("multipart/") else None
        if not boundary:
            attached = _told(head.get_content_disposition, None) == "attachment"
            name = _told(head.get_filename, "without a readable name")
            parts.append(Part(head, memoryview(data)[start:end], kind, attached, name))
            continue
        delimiter = b"--" + boundary.encode("utf-8", "surrogateescape")
        places = [*islice(_between(data, start, end, delimiter), bounds.max_parts)]
        if (seen := seen + len(places)) > bounds.max_parts:
            limit = f"{bounds.max_parts} (THRESHER_DOCUMENT_MAX_PARTS)"
            raise ItemFailed(FailureCode.DOCUMENT_TOO_LARGE, f"the mail has more parts than the limit, {limit}")
        if depth == _DEEP:
            raise broken(f"the mail has more than {_DEEP} parts in one another")
        waiting += [(*_head(data, *place), place[1], depth + 1) for place in reversed(places)]
    return mail, parts


def _head(data: bytes, start: int, end: int) -> tuple[EmailMessage, int]:
    """The headers of what stands there, and where its body begins."""
    most = min(end, start + _LONGEST_HEAD)
    for empty in (b"\r\n", b"\n"):  # a part may have no headers at all
        if data.startswith(empty, start, end):
            return EmailMessage(_POLICY), start + len(empty)
    ends = [(place, place + len(gap)) for gap in (b"\n\r\n", b"\n\n") if (place := data.find(gap, start, most)) >= 0]
    last, body = min(ends, default=(most, most))
    if not ends and most < end:
        raise broken(f"the headers of the mail have more than {_LONGEST_HEAD} bytes")
    return cast(EmailMessage, _HEADERS.parsebytes(data[start : last + 1])), body


def _between(data: bytes, start: int, end: int, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Where the parts are, without the line breaks that belong to the delimiters (RFC 2046, section 5.1.1)."""
    at, begun = start, -1
    while (found := data.find(delimiter, at, end)) >= 0:
        at = found + len(delimiter)
        rest = data[at : at + 100].partition(b"\n")[0].strip()
        if rest not in (b"", b"--") or (found > start and data[found - 1] != _NEWLINE):
            line = data.find(b"\n", found, end)  # a longer boundary, or a line that goes on with one
            at = line if line >= 0 else end
            continue
        if begun >= 0:
            yield begun, max(begun, found - (2 if data[found - 2 : found] == b"\r\n" else 1))
        if rest:
            return
        line = data.find(b"\n", at, end)
        begun = at = line + 1 if line >= 0 else end
    if begun >= 0:
        yield begun, end


def _told(ask: Callable[[], Any], otherwise: Any) -> Any:
    """What a header says; `otherwise` where the library fails at it, which it does in many ways."""
    try:
        return ask()
    except Exception:
        return otherwise
