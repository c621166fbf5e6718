"""CSV and its kin as a table in markdown (GFM). The first row is the head; nothing is left out, nothing is guessed of types."""

import csv
import io
import re
from collections.abc import Sequence

from thresher.convert import markup
from thresher.convert.html import Page

_DELIMITERS = ",;\t|"
_SAMPLE = 16_384  # characters in which the delimiter is looked for
_COLUMNS = 16_384  # what spreadsheets take; a wider file is data, and its rows could fill the memory
# Between cells and between rows, while a table is looked at as a whole: separators of ASCII that no text has.
_NEXT_CELL, _NEXT_ROW = "\x1f", "\x1e"
_ROWS_MEET = " |\n| "
_SEPARATOR_LINE = re.compile(r"sep=([^\r\n])\r?\n", re.IGNORECASE)  # written and read by spreadsheets


def convert(text: str) -> Page:
    """Convert delimited `text`; what cannot be read as a table stays as it is, in a fence."""
    body, delimiter = _delimited(text)
    if max((line.count(delimiter) for line in body.splitlines()), default=0) >= _COLUMNS:
        return Page(None, markup.fenced(text, "csv"), text, [], {})
    try:
        rows = [row for row in csv.reader(io.StringIO(body, newline=""), delimiter=delimiter) if row]
    except csv.Error:  # a quote never closed makes a field without bounds
        return Page(None, markup.fenced(text, "csv"), text, [], {})
    return Page(None, markdown(rows), text, [], {})


def _delimited(text: str) -> tuple[str, str]:
    if match := _SEPARATOR_LINE.match(text):
        return text[match.end() :], match[1]
    sample = text[:_SAMPLE]
    if len(text) > _SAMPLE:
        sample = sample[: sample.rfind("\n") + 1] or sample
    return text, max(_DELIMITERS, key=lambda delimiter: _score(sample, delimiter))


def _score(sample: str, delimiter: str) -> tuple[int, int]:
    """How many rows have as many fields as the first one, and how many fields; a lone column counts for nothing."""
    try:
        widths = [len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
    except csv.Error:
        return 0, 0
    if not widths or widths[0] == 1:
        return 0, 0
    return sum(width == widths[0] for width in widths), widths[0]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table in markdown. Short rows stay short, as GFM allows: filling them up could make a small file a huge one."""
    if not rows:
        return ""
    width = max(map(len, rows))
    head = [*rows[0], *[""] * (width - len(rows[0]))]
    return f"{_rows([head])}\n| {'--- | ' * (width - 1)}--- |\n" + (_rows(rows[1:]) + "\n" if len(rows) > 1 else "")


def _rows(rows: Sequence[Sequence[str]]) -> str:
    """All at once if no cell has anything to be escaped or cut off, which is ten times as fast."""
    joined = _NEXT_ROW.join(_NEXT_CELL.join(map(str.strip, row)) for row in rows)
    between = joined.count(_NEXT_CELL) + joined.count(_NEXT_ROW)
    if between != sum(len(row) or 1 for row in rows) - 1 or any(mark in joined for mark in markup.MARKED):
        return "\n".join(map(_row, rows))
    return f"| {joined.replace(_NEXT_CELL, ' | ').replace(_NEXT_ROW, _ROWS_MEET)} |"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(markup.cell, cells))} |"
