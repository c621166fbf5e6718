"""The three forms of lists, line by line: text, CSV, NDJSON. Each gives records or raises.

Opens nothing: what a line says of a file is only a name here.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson


class Record(NamedTuple):
    """An item: the number of the line that it begins in, a JSON object without a newline, and the file that it is, as written."""

    number: int
    item: bytes
    file: str | None = None


Lines = Iterator[tuple[int, str]]  # number from 1, text with its line end
Records = Iterable[Record]

# Of an object; others are left out, so that a line of results can be an item again.
CHOICES = ("method", "headers", "timeout", "parser", "links_on_page", "content")
ITEM_FIELDS = ("url", "file_id", "custom_id", "metadata", *CHOICES)
COLUMNS = frozenset({"url", "file"})  # of which a row has one
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
            yield Record(number, _item(number, {"url": text}))


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
            raise BadLine(number, "not a JSON object; one object a line is needed, with a url or a file")
        fields = {name: value[name] for name in ITEM_FIELDS if name in value}
        if fields.get("file_id") and str(fields.get("url")).startswith("file:"):  # of a line of results
            del fields["url"]
        yield file_record(number, fields, value.get("file"))


def csv_records(lines: Lines) -> Records:
    """Rows under a line that names the columns. Without one, a single column of URLs is taken as well.

    The columns `url`, `file` and `custom_id` are read, in any case and order; others are left out.
    """
    numbers = _Numbered(lines)
    first = next((line for line in numbers if line.strip()), None)
    if first is None:
        return
    delimiter = next((d for d in DELIMITERS if not COLUMNS.isdisjoint(_names(first, d))), ",")
    names = _names(first, delimiter)
    headless = COLUMNS.isdisjoint(names)
    if headless and (len(names) != 1 or not names[0].startswith(("http://", "https://"))):
        raise BadLine(numbers.last, "no column is named url or file; the first line must name the columns")
    if headless:
        yield Record(numbers.last, _item(numbers.last, {"url": next(csv.reader([first]))[0].strip()}))
        names = ["url"]
    yield from _rows(numbers, names, delimiter)


def _rows(numbers: "_Numbered", names: list[str], delimiter: str) -> Records:
    places = {name: names.index(name) for name in ("url", "file", "custom_id") if name in names}
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
        cells = {name: row[place] for name, place in places.items() if len(row) > place and row[place].strip()}
        file, custom_id = cells.get("file", "").strip(), cells.get("custom_id")
        if "url" not in cells and not file:
            raise BadLine(begin, f"no {' and no '.join(sorted(COLUMNS & {*names}, reverse=True))} in this row")
        if any(cell.strip() for cell in row[len(names) :]):
            raise BadLine(begin, f"more cells than columns; a cell with {delimiter!r} in it must be in quotes")
        item = {"url": cells["url"].strip()} if "url" in cells else {}
        yield file_record(begin, item | ({"custom_id": custom_id} if custom_id else {}), file)


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


def file_record(number: int, fields: dict[str, Any], file: Any) -> Record:
    """An item with these fields, that is a file if there is one: then it is called as that is written, unless it has a custom_id."""
    if file in (None, ""):
        return Record(number, _item(number, fields))
    if not isinstance(file, str) or "\0" in file:
        raise BadLine(number, "file must be a path, as a string")
    if fields.get("url") is not None or fields.get("file_id") is not None:
        raise BadLine(number, "a file beside a url or a file_id; an item has one of them")
    named = fields if fields.get("custom_id") not in (None, "") else fields | {"custom_id": file}
    return Record(number, _item(number, named), file)


def _item(number: int, fields: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise BadLine(number, str(error)) from None
