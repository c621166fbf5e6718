"""The items of what the command line names: of URLs and files one each, of lists and standard input one a line.

Gives one entry after the other, with the place that it stands at, in constant memory. Checks the form of a file; whether
a URL can be fetched is for the server to say.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from thresher.cli.client.formats import (
    COLUMNS,
    BadLine,
    Lines,
    Records,
    csv_records,
    file_record,
    json_records,
    text_records,
)
from thresher.cli.client.sources import InputError, Kind, Source, hint

MAX_LINE = 2**20  # bytes; as long as the server takes one

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class InputFormat(StrEnum):
    """How a list is read."""

    TXT = "txt"  # a URL a line; blank lines and those that begin with # are passed over
    CSV = "csv"  # comma, semicolon or tab; the first line names the columns: url or file, and custom_id if there is one
    JSONL = "jsonl"  # an object a line: url or file, custom_id, metadata, and what the item chooses for itself


_SUFFIXES = {
    ".txt": InputFormat.TXT,
    ".csv": InputFormat.CSV,
    ".tsv": InputFormat.CSV,
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as the server takes it, a JSON object without a newline, and where it stands. Of one that is a `file` which is yet
    to be uploaded the id is missing.
    """

    name: str
    line: int  # from 1; 0 for what is an argument
    item: bytes
    file: Path | None = None

    @property
    def place(self) -> str:
        """`urls.csv line 7`, for messages."""
        if self.line:
            return f"{self.name} line {self.line}"
        return self.name if self.file else f"the argument {self.name}"

    def having(self, **fields: Any) -> "Entry":
        """With these fields, which say what the file is."""
        return replace(self, item=orjson.dumps(orjson.loads(self.item) | fields))


def entries(sources: Iterable[Source], input_format: InputFormat | None) -> Iterator[Entry]:
    """Every item of every source, in order. `input_format` decides for all lists; None: by their names, or first lines.

    Raises InputError.
    """
    for source in sources:
        match source.kind:
            case Kind.URL:
                yield from _entries(source.name, text_records([(0, source.name)]))
            case Kind.STDIN:
                # A file object of our own: a thread that waits in it must not hold the lock of sys.stdin at the exit.
                with open(0, "rb", closefd=False) as file:
                    yield from _entries("standard input", _records("standard input", file, input_format))
            case Kind.FILE:
                yield from _entries(source.name, [file_record(0, {}, source.name)])
            case Kind.LIST:
                with _opened(source.name) as file:
                    named = _SUFFIXES.get(Path(source.name).suffix.lower())
                    yield from _entries(source.name, _records(source.name, file, input_format or named))


def _opened(source: str) -> BinaryIO:
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from error


def _entries(name: str, records: Records) -> Iterator[Entry]:
    try:
        for line, item, file in records:
            # What a list names lies beside it, whatever folder it is read from.
            yield Entry(name, line, item, None if file is None else Path(name).parent / file if line else Path(file))
    except BadLine as bad:
        raise InputError(f"{name} line {bad.number}: {bad.reason}{hint(name) if bad.number == 1 else ''}") from None
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error


def _records(name: str, file: BinaryIO, input_format: InputFormat | None) -> Records:
    lines = _lines(file)
    if input_format is None:
        input_format, lines = _sniffed(lines)
    match input_format:
        case InputFormat.TXT:
            return text_records(lines)
        case InputFormat.CSV:
            return csv_records(lines)
        case InputFormat.JSONL:
            return json_records(lines)


def _sniffed(lines: Lines) -> tuple[InputFormat, Lines]:
    """The format that the first line with anything in it looks like, and all lines."""
    seen: list[tuple[int, str]] = []
    for number, line in lines:
        seen.append((number, line))
        if text := line.strip():
            break
    else:
        text = ""
    words = {word.strip().strip('"').lower() for word in text.replace(";", ",").replace("\t", ",").split(",")}
    if text.startswith(("{", "[")):
        found = InputFormat.JSONL
    elif not words.isdisjoint(COLUMNS):
        found = InputFormat.CSV
    else:
        found = InputFormat.TXT
    return found, chain(seen, lines)


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """Numbered lines with their ends. Raises BadLine."""
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE:
            raise BadLine(number, f"longer than the limit of {MAX_LINE} bytes")
        if number == 1:
            if raw.startswith(_UTF16_BOMS):
                raise BadLine(number, "this is UTF-16; save the file as UTF-8")
            raw = raw.removeprefix(_UTF8_BOM)
        try:
            yield number, raw.decode()
        except UnicodeDecodeError as error:
            raise BadLine(number, f"byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
