"""The three forms of input, line by line: text, CSV, NDJSON. Each gives (line, item as a JSON object) or raises.

Knows nothing of files.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

Lines = Iterator[tuple[int, str]]  # number from 1, text with its line end
Records = Iterator[tuple[int, bytes]]  # number of the line that it begins in, an item without a newline

# Of an object; others are left out, so that a line of results can be an item again.
CHOICES = ("method", "headers", "timeout", "parser", "links_on_page", "content")
ITEM_FIELDS = ("url", "custom_id", "metadata", *CHOICES)
DELIMITERS = ",;\t"


class BadLine(Exception):
    """A line cannot be read: its number, and why."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(number, reason)
        self.number, self.reason = number, reason


def text_records(lines: Iterable[tuple[int, str]]) -> Records:
    """A URL a line. Blank lines and those that begin with # are passed over."""
    for number, line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, _item(number, {"url": text})


def json_records(lines: Lines) -> Records:
    """An object a line. Fields other than ITEM_FIELDS are left out; blank lines are passed over."""
    for number, line in lines:
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except ValueError as error:
            hint = "; one object a line is needed (jq -c '.[]' makes that of an array)" if line[0] == "[" else ""
            raise BadLine(number, f"not valid JSON: {error}{hint}") from None
        if not isinstance(value, dict):
            raise BadLine(number, "not a JSON object; one object a line is needed, with a url")
        yield number, _item(number, {name: value[name] for name in ITEM_FIELDS if name in value})


def csv_records(lines: Lines) -> Records:
    """Rows under a line that names the columns. Without one, a single column of URLs is taken as well.

    The columns `url` and `custom_id` are read, in any case and order; others are left out.
    """
    numbers = _Numbered(lines)
    first = next((line for line in numbers if line.strip()), None)
    if first is None:
        return
    delimiter = next((d for d in DELIMITERS if "url" in _names(first, d)), ",")
    names = _names(first, delimiter)
    headless = "url" not in names
    if headless and (len(names) != 1 or not names[0].startswith(("http://", "https://"))):
        raise BadLine(numbers.last, "no column is named url; the first line must name the columns")
    if headless:
        yield numbers.last, _item(numbers.last, {"url": next(csv.reader([first]))[0].strip()})
        names = ["url"]
    yield from _rows(numbers, names, delimiter)


def _rows(numbers: "_Numbered", names: list[str], delimiter: str) -> Records:
    url, custom_id = names.index("url"), names.index("custom_id") if "custom_id" in names else None
    reader = csv.reader(numbers, delimiter=delimiter, strict=True)
    while True:
        begin = numbers.last + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadLine(begin, f"not valid CSV: {error}") from None
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= url or not row[url].strip():
            raise BadLine(begin, "no url in this row")
        if any(cell.strip() for cell in row[len(names) :]):
            raise BadLine(begin, f"more cells than columns; a cell with {delimiter!r} in it must be in quotes")
        item = {"url": row[url].strip()}
        if custom_id is not None and len(row) > custom_id and row[custom_id]:
            item["custom_id"] = row[custom_id]
        yield begin, _item(begin, item)


class _Numbered:
    """The texts of numbered lines; `last` is the number of the one given last, for a record may span several."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.last = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last, text = next(self._lines)
        return text


def _names(line: str, delimiter: str) -> list[str]:
    return [cell.strip().lower() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def _item(number: int, fields: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise BadLine(number, str(error)) from None
