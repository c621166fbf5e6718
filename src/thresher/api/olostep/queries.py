"""The query strings of the Olostep face, in every spelling that its clients use. Pure functions of the query."""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

import orjson
from starlette.datastructures import QueryParams

from thresher.domain import source
from thresher.domain.change import Change
from thresher.domain.failure import FailureCode
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import ItemState
from thresher.settings import Settings

_INTEGER = re.compile(r"[+-]?[0-9]{1,1000}")
_DECIMAL = re.compile(r"[0-9]{1,30}(\.[0-9]{0,400})?([eE][+-]?[0-9]{1,3})?")  # as programs write a float, too
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_WAIT_MOST = 60.0  # seconds; proxies and clients give up on an answer that takes longer
_RECENT, _RECENT_MOST = 50, 100  # batches, or events, in a list
MOST = 2**31 - 1  # a cursor beyond it is beyond every batch; the columns are 32 bits wide

# What an item can be asked for by. `None`: it is unsettled and in a worker's hands.
STATUSES: dict[str, ItemState | None] = {
    "completed": ItemState.COMPLETED,
    "failed": ItemState.FAILED,
    "pending": ItemState.PENDING,
    "processing": None,
    "skipped": ItemState.SKIPPED,
    "cancelled": ItemState.CANCELLED,
}

FINISHED = tuple(name for name, state in STATUSES.items() if state not in (None, ItemState.PENDING))

USUAL = ("html", "markdown", "text", "json")
FORMATS = (*USUAL, "pages")  # the last only for who asks: it is the markdown and the text once more
EXPORTED = ("markdown", "links", "html", "text", "json", "pages")  # what a line of an export can carry, in its order
EXPORT_FORMS = ("jsonl",)
ORDERS = ("finished", "submitted")
LINEAGES = ("own", "merged")
WORDS = ("false", "true")
# Known to clients, never made here: taken, and answered with nothing.
_OTHER_FORMATS = ("screenshot", "raw_pdf", "links", "links_on_page", "page_metadata", "parsed_content", "llm_extract")


@dataclass(frozen=True, slots=True)
class ItemsQuery:
    """Which page of a batch's items, with which contents. `status` None is all finished ones, `cursor` 0 the start.

    `merged`: of the batch together with its retries.
    """

    status: str | None
    cursor: int
    limit: int
    formats: frozenset[str]
    merged: bool


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """What to export: `states` None for all finished ones, `cursor` 0 for the start, `limit` None for no end.

    `merged`: of the batch together with its retries, and then in submit order whatever `submitted` says.
    """

    states: frozenset[ItemState] | None
    formats: frozenset[str]
    submitted: bool
    cursor: int
    limit: int | None
    merged: bool


@dataclass(frozen=True, slots=True)
class DiffQuery:
    """Which page of a comparison: `changes` None for all of them, from a `place` on. `text`: with what is different in words.

    `merged`: each batch together with its retries.
    """

    earlier: str
    changes: frozenset[Change] | None
    place: int
    limit: int
    text: bool
    merged: bool


@dataclass(frozen=True, slots=True)
class Window:
    """A part of each content, in characters (code points); `max_chars` is None up to the end."""

    offset: int
    max_chars: int | None


def read_items_query(query: QueryParams, settings: Settings) -> ItemsQuery:
    """Raises Problem(validation_error). An empty parameter counts as absent: SDKs send a bare `?`."""
    status = query.get("status") or None
    if status is not None and status not in STATUSES:
        names = ", ".join(f"'{name}'" for name in STATUSES)
        raise _refused("status", f"Status must be one of {names}")
    cursor = _integer(query, "cursor", 0, least=0)
    limit = _integer(query, "limit", settings.default_page, least=1)
    formats = frozenset(_listed(query, "formats", FORMATS, _OTHER_FORMATS)).intersection(FORMATS)
    return ItemsQuery(status, min(cursor, MOST), min(limit, settings.max_page), formats, _merged(query))


def read_export_query(query: QueryParams) -> ExportQuery:
    """Raises Problem(validation_error), naming the parameter and what it can be. An empty one counts as absent."""
    _one_of(query, "format", EXPORT_FORMS)
    states = frozenset(state for name in _listed(query, "status", FINISHED) if (state := STATUSES[name]) is not None)
    formats = frozenset(_listed(query, "formats", EXPORTED, _OTHER_FORMATS))
    return ExportQuery(
        states or None,
        (formats | {"links"} if "links_on_page" in formats else formats) or frozenset({"markdown", "links"}),
        _one_of(query, "order", ORDERS) == "submitted",
        min(_integer(query, "cursor", 0, least=0), MOST),
        _integer(query, "limit", 0, least=1) or None,
        _merged(query),
    )


def read_diff_query(query: QueryParams, settings: Settings) -> DiffQuery:
    """Raises Problem(validation_error), naming the parameter and what it can be."""
    earlier = query.get("with")
    if not earlier:
        raise _refused("with", "with is required: the id of the earlier batch")
    place = max(min(_integer(query, "cursor", 0, least=0), 2 * MOST) - 1, 0)
    limit = min(_integer(query, "limit", settings.default_page, least=1), settings.max_page)
    changes = frozenset(map(Change, _listed(query, "status", [*Change]))) or None
    text = _one_of(query, "text", WORDS) == "true"
    return DiffQuery(earlier, changes, place, limit, text, _merged(query))


def read_offset(query: QueryParams) -> int | None:
    """How many items the caller thinks a batch has, None if it does not say. Raises Problem(validation_error)."""
    offset = _integer(query, "offset", -1, least=0)
    return None if offset < 0 else min(offset, MOST)


def read_timeout(query: QueryParams, settings: Settings) -> float | None:
    """Seconds to a batch's deadline, None if the caller does not say. Raises Problem(validation_error)."""
    text, most = query.get("timeout") or "", settings.batch_timeout
    if not text:
        return None
    if not _DECIMAL.fullmatch(text) or not 0 < float(text) <= most:
        raise _refused("timeout", f"timeout must be more than 0 and at most {most:g} seconds (THRESHER_BATCH_TIMEOUT)")
    return float(text)


def read_wait(query: QueryParams) -> float:
    """Seconds that the caller is willing to wait, 0 when it does not say. Raises Problem(validation_error)."""
    text = query.get("wait") or "0"
    if not _DECIMAL.fullmatch(text):
        raise _refused("wait", f"wait must be a number of seconds, {_WAIT_MOST:g} at most")
    return min(float(text), _WAIT_MOST)


def read_dry_run(query: QueryParams) -> bool:
    """Whether a create is only to be forecast. Raises Problem(validation_error)."""
    text = (query.get("dry_run") or "false").strip().lower()
    if text not in _BOOLEANS:
        raise _refused("dry_run", "dry_run must be true or false")
    return _BOOLEANS[text]


def read_recent_limit(query: QueryParams) -> int:
    """How many batches to list. Raises Problem(validation_error)."""
    return min(_integer(query, "limit", _RECENT, least=1), _RECENT_MOST)


def read_deliveries_query(query: QueryParams) -> tuple[int, int]:
    """Which events of a batch: those before this one, and how many. Raises Problem(validation_error)."""
    before = min(_integer(query, "cursor", 0, least=0), 2**63 - 1) or 2**63 - 1
    return before, min(_integer(query, "limit", _RECENT, least=1), _RECENT_MOST)


def read_source(query: QueryParams) -> str | None:
    """Whose batches to list, None for everybody's. Raises Problem(validation_error)."""
    text = query.get("source") or None
    if text is not None and not source.is_source(text):
        raise _refused("source", f"source {source.RULE}")
    return text


def read_formats(query: QueryParams) -> frozenset[str]:
    """The formats asked for: repeated, `formats[]=`, with commas, as a JSON array, or one; absent or empty is the usual ones."""
    return frozenset(_listed(query, "formats", FORMATS, _OTHER_FORMATS) or USUAL)


def read_window(query: QueryParams) -> Window | None:
    """The part of the contents that is asked for, None for all of them. Raises Problem(validation_error)."""
    if not query.get("offset") and not query.get("max_chars"):
        return None
    offset = _integer(query, "offset", 0, least=0, most=MOST)
    return Window(offset, _integer(query, "max_chars", 0, least=1, most=MOST) or None)


def read_retrieve_id(query: QueryParams) -> str:
    """Raises Problem(validation_error) when there is none."""
    text = query.get("retrieve_id")
    if not text:
        raise _refused("retrieve_id", "retrieve_id is required")
    return text


def read_codes(query: QueryParams) -> frozenset[FailureCode]:
    """Some failure codes, none when the caller does not say. Raises Problem(validation_error)."""
    return frozenset(map(FailureCode, _listed(query, "codes", [*FailureCode])))


def _merged(query: QueryParams) -> bool:
    return _one_of(query, "lineage", LINEAGES) == "merged"


def _listed(query: QueryParams, field: str, known: Sequence[str], others: Container[str] = ()) -> list[str]:
    """The names in a parameter that is a list, in every spelling; `others` are taken as well, and not advertised."""
    named = [name for text in (*query.getlist(field), *query.getlist(f"{field}[]")) for name in _names(field, text)]
    for name in named:
        if name not in known and name not in others:
            raise _refused(field, f"Unknown {name[:40]!r} in {field}; there are {', '.join(known)}")
    return named


def _one_of(query: QueryParams, field: str, known: Sequence[str]) -> str:
    """One of a few names; the first of them when there is none."""
    name = (query.get(field) or "").strip().lower() or known[0]
    if name not in known:
        raise _refused(field, f"Unknown {field} {name[:40]!r}; there is {' and '.join(known)}")
    return name


def _names(field: str, text: str) -> list[str]:
    if text.lstrip().startswith("["):
        try:
            value = orjson.loads(text)
        except ValueError:
            raise _refused(field, f"{field} looks like a JSON array and is not valid JSON") from None
        if not all(isinstance(name, str) for name in value):
            raise _refused(field, f"{field} must be an array of strings")
    else:
        value = text.split(",")
    return [name for part in value if (name := part.strip().lower())]


def _integer(query: QueryParams, name: str, default: int, *, least: int, most: int | None = None) -> int:
    text = (query.get(name) or "").strip()
    if not text:
        return default
    if not _INTEGER.fullmatch(text) or int(text) < least or (most is not None and int(text) > most):
        limits = f"at least {least}" if most is None else f"at least {least} and at most {most}"
        raise _refused(name, f"{name} must be an integer of {limits}")
    return int(text)


def _refused(name: str, detail: str) -> Problem:
    return Problem(
        ProblemCode.VALIDATION_ERROR, detail, errors=[{"loc": ["query", name], "msg": detail, "type": "value_error"}]
    )
