"""Entries cut into the bodies of append requests, each with the places of its lines. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from thresher.cli.client.inputs import Entry
from thresher.cli.client.sources import InputError

MAX_LINES = 5_000
MAX_BYTES = 4 * 2**20
MAX_FILES = 64  # which are uploaded before any of their slice is appended


@dataclass(frozen=True, slots=True)
class Slice:
    """Items that follow each other; `offset` is the position of the first in the batch."""

    offset: int
    entries: list[Entry]

    @property
    def end(self) -> int:
        """The number of items that the batch has after it."""
        return self.offset + len(self.entries)

    @property
    def body(self) -> bytes:
        """The items as NDJSON."""
        return b"".join(entry.item + b"\n" for entry in self.entries)

    def beyond(self, total: int) -> "Slice":
        """What is left of it when the batch has so many items."""
        return Slice(total, self.entries[total - self.offset :])


def slices(entries: Iterator[Entry], skip: int = 0, last: str | None = None) -> Iterator[Slice]:
    """The entries behind the first `skip`, which the batch has already; `last` is the custom_id of the last of them.

    Raises InputError if there are fewer, or that one is another file: a folder is not always what it was.
    """
    for taken in range(skip):
        entry = next(entries, None)
        if entry is None:
            raise InputError(f"the batch has {skip} items already, this input has only {taken}: it is another one")
        if taken == skip - 1 and last is not None and entry.file and not entry.line and entry.name != last:
            raise InputError(f"item {skip} of the batch is {last}, and of this input {entry.name}: it is another one")
    offset, held, size, files = skip, list[Entry](), 0, 0
    for entry in entries:
        if held and (len(held) >= MAX_LINES or size + len(entry.item) > MAX_BYTES or files >= MAX_FILES):
            yield Slice(offset, held)
            offset, held, size, files = offset + len(held), [], 0, 0
        held.append(entry)
        size += len(entry.item) + 1
        files += entry.file is not None
    if held:
        yield Slice(offset, held)
