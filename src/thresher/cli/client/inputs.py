"""What the command line takes items from: URLs as arguments, text, CSV and NDJSON files, standard input.

Gives one entry after the other, with the place that it stands at, in constant memory. Checks the form of a file; whether
a URL can be fetched is for the server to say.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from thresher.cli.client.formats import BadLine, Lines, Records, csv_records, json_records, text_records
from thresher.cli.errors import CommandError, ExitCode

STDIN = "-"
MAX_LINE = 2**20  # bytes; as long as the server takes one

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class InputFormat(StrEnum):
    """How a file is read."""

    TXT = "txt"  # a URL a line; blank lines and those that begin with # are passed over
    CSV = "csv"  # comma, semicolon or tab; the first line names the columns: url, and custom_id if there is one
    JSONL = "jsonl"  # an object a line: url, custom_id, metadata, and what the item chooses for itself


_SUFFIXES = {
    ".txt": InputFormat.TXT,
    ".csv": InputFormat.CSV,
    ".tsv": InputFormat.CSV,
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
}


class InputError(CommandError):
    """Something in the input is wrong: the message names the file and the line. Exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=ExitCode.USAGE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as the server takes it, a JSON object without a newline, and where it stands."""

    name: str
    line: int  # from 1; 0 for a URL that is an argument
    item: bytes

    @property
    def place(self) -> str:
        """`urls.csv line 7`, for messages."""
        return f"{self.name} line {self.line}" if self.line else f"the argument {self.name}"


def check(sources: Sequence[str]) -> None:
    """Raises InputError for a source that cannot be read, before anything is begun."""
    if not sources:
        raise InputError("no input: name a file, a URL, or - for standard input")
    if sources.count(STDIN) > 1:
        raise InputError("standard input (-) can be read only once")
    for source in sources:
        if is_url(source) or source == STDIN:
            continue
        try:
            mode = Path(source).stat().st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(None, "is a directory")
            # No pipe is opened for it: whoever writes to it would be left without a reader.
            if not os.access(source, os.R_OK):
                raise PermissionError(None, os.strerror(errno.EACCES))
        except OSError as error:
            raise InputError(f"{source} cannot be read: {error.strerror}") from error


def is_url(source: str) -> bool:
    """Whether an argument is a URL and not the name of a file."""
    return source.lower().startswith(("http://", "https://"))


def entries(sources: Sequence[str], input_format: InputFormat | None) -> Iterator[Entry]:
    """Every item of every source, in order. `input_format` decides for all files; None: by their names, or first lines.

    Raises InputError.
    """
    for source in sources:
        if is_url(source):
            yield from _entries(source, text_records([(0, source)]))
        elif source == STDIN:
            # A file object of our own: a thread that waits in it must not hold the lock of sys.stdin at the exit.
            with open(0, "rb", closefd=False) as file:
                yield from _entries("standard input", _records("standard input", file, input_format))
        else:
            with _opened(source) as file:
                named = _SUFFIXES.get(Path(source).suffix.lower())
                yield from _entries(source, _records(source, file, input_format or named))


def _opened(source: str) -> BinaryIO:
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from error


def _entries(name: str, records: Records) -> Iterator[Entry]:
    try:
        for line, item in records:
            yield Entry(name, line, item)
    except BadLine as bad:
        raise InputError(f"{name} line {bad.number}: {bad.reason}") from None
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
    words = [word.strip().strip('"').lower() for word in text.replace(";", ",").replace("\t", ",").split(",")]
    if text.startswith(("{", "[")):
        found = InputFormat.JSONL
    elif "url" in words:
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
