"""The query strings of the Olostep face, in every spelling that its clients use. Pure functions of the query."""

import re
from dataclasses import dataclass

import orjson
from starlette.datastructures import QueryParams

from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import ItemState
from thresher.settings import Settings

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_MOST = 2**31 - 1  # a cursor beyond it is beyond every batch; the columns are 32 bits wide

# What an item can be asked for by. `None`: it is unsettled and in a worker's hands.
STATUSES: dict[str, ItemState | None] = {
    "completed": ItemState.COMPLETED,
    "failed": ItemState.FAILED,
    "pending": ItemState.PENDING,
    "processing": None,
    "skipped": ItemState.SKIPPED,
    "cancelled": ItemState.CANCELLED,
}

FORMATS = ("html", "markdown", "text", "json")
# Known to clients, never made here: taken, and answered with nothing.
_OTHER_FORMATS = ("screenshot", "raw_pdf", "links", "links_on_page", "page_metadata", "parsed_content", "llm_extract")


@dataclass(frozen=True, slots=True)
class ItemsQuery:
    """Which page of a batch's items. `status` is None for all finished ones; `cursor` is 0 for the start."""

    status: str | None
    cursor: int
    limit: int


def read_items_query(query: QueryParams, settings: Settings) -> ItemsQuery:
    """Raises Problem(validation_error). An empty parameter counts as absent: SDKs send a bare `?`."""
    status = query.get("status") or None
    if status is not None and status not in STATUSES:
        names = ", ".join(f"'{name}'" for name in STATUSES)
        raise _refused("status", f"Status must be one of {names}")
    cursor = _integer(query, "cursor", 0, least=0)
    limit = _integer(query, "limit", settings.default_page, least=1)
    return ItemsQuery(status, min(cursor, _MOST), min(limit, settings.max_page))


def read_formats(query: QueryParams) -> frozenset[str]:
    """The formats asked for: repeated, `formats[]=`, with commas, as a JSON array, or one; absent or empty is all."""
    named = [name for text in (*query.getlist("formats"), *query.getlist("formats[]")) for name in _names(text)]
    for name in named:
        if name not in FORMATS and name not in _OTHER_FORMATS:
            raise _refused("formats", f"Unknown format {name[:40]!r}; formats are {', '.join(FORMATS)}")
    return frozenset(named or FORMATS)


def read_retrieve_id(query: QueryParams) -> str:
    """Raises Problem(validation_error) when there is none."""
    text = query.get("retrieve_id")
    if not text:
        raise _refused("retrieve_id", "retrieve_id is required")
    return text


def _names(text: str) -> list[str]:
    if text.lstrip().startswith("["):
        try:
            value = orjson.loads(text)
        except ValueError:
            raise _refused("formats", "formats looks like a JSON array and is not valid JSON") from None
        if not all(isinstance(name, str) for name in value):
            raise _refused("formats", "formats must be an array of strings")
    else:
        value = text.split(",")
    return [name for part in value if (name := part.strip().lower())]


def _integer(query: QueryParams, name: str, default: int, *, least: int) -> int:
    text = (query.get(name) or "").strip()
    if not text:
        return default
    if not _INTEGER.fullmatch(text) or int(text) < least:
        raise _refused(name, f"{name} must be an integer of at least {least}")
    return int(text)


def _refused(name: str, detail: str) -> Problem:
    return Problem(
        ProblemCode.VALIDATION_ERROR, detail, errors=[{"loc": ["query", name], "msg": detail, "type": "value_error"}]
    )
