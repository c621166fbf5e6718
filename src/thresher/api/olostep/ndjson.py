"""A body of lines with an item in each, cut into slices while it streams in; only one of them is in memory.

Knows nothing of batches, nor of how long it takes until the next slice is asked for.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass

from starlette.datastructures import Headers

from thresher.api.olostep.faults import Faults
from thresher.api.olostep.items import MAX_LINE, read_lines
from thresher.api.openapi import NDJSON
from thresher.settings import Settings
from thresher.storage.submit import NewItem

# A slice ends with the piece of the body that brings it to one of these: large enough for its commit to be cheap.
SLICE_LINES = 5_000
SLICE_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Slice:
    """Whole lines of the body; `first` is the number of the first one, from 1."""

    first: int
    lines: list[bytes]


def is_ndjson(headers: Headers) -> bool:
    """Whether a request says that its body is made of lines."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == NDJSON


async def slices(body: AsyncIterable[bytes]) -> AsyncIterator[Slice]:
    """The body's lines in order; at least one slice, which may be empty.

    A line beyond the limit is cut, and the last one: `read_slice` refuses it, and the rest of it need not be awaited.
    """
    first, size, lines, tail = 1, 0, list[bytes](), bytearray()
    async for piece in body:
        begin, *others = piece.split(b"\n")
        tail += begin
        if others:
            lines.append(bytes(tail))
            lines += others[:-1]
            tail = bytearray(others[-1])
        if len(tail) > MAX_LINE:
            break
        size += len(piece)
        if len(lines) >= SLICE_LINES or size >= SLICE_BYTES:
            yield Slice(first, lines)
            first, size, lines = first + len(lines), len(tail), []
    yield Slice(first, [*lines, bytes(tail)])


def places(piece: Slice) -> Iterator[tuple[str, int]]:
    """Where each item of a slice without faults stands."""
    return (("line", number) for number, line in enumerate(piece.lines, piece.first) if line.strip())


def read_slice(piece: Slice, settings: Settings) -> list[NewItem]:
    """Parse and check the items of some lines. Raises Problem(validation_error) naming lines, fields and limits."""
    with Faults() as faults:
        return read_lines(enumerate(piece.lines, piece.first), settings, faults)
