"""`links_on_page` of a create, checked. What the options do is domain/links.py."""

from typing import Any

from thresher.api.olostep.faults import Faults, kind_of
from thresher.domain import globs
from thresher.domain.links import LinkOptions

MAX_PATTERNS = 100  # in a list
MAX_QUERY = 1000  # characters
NUL = "must not contain NUL characters"


Place = tuple[str | int, ...]


def read_links_on_page(fields: dict[str, Any], faults: Faults, at: Place = ()) -> LinkOptions | None:
    """The options of a batch or of an item `at` a place of the request, None without any. A null counts as absent; so does an
    empty list or query.
    """
    value, loc = fields.get("links_on_page"), (*at, "links_on_page")
    if value is None:
        return None
    if not isinstance(value, dict):
        faults.add(loc, f"must be an object, not {kind_of(value)}")
        return None
    return LinkOptions(
        absolute=_boolean(value, "absolute_links", faults, loc),
        include=_patterns(value, "include_links", faults, loc),
        exclude=_patterns(value, "exclude_links", faults, loc),
        query=_query(value, "query_to_order_links_by", faults, loc),
    )


def _boolean(value: dict[str, Any], name: str, faults: Faults, at: Place) -> bool:
    found = value.get(name)
    if found is not None and not isinstance(found, bool):
        faults.add((*at, name), f"must be true or false, not {kind_of(found)}")
    return found is not False


def _query(value: dict[str, Any], name: str, faults: Faults, at: Place) -> str | None:
    found = value.get(name)
    if found is None:
        return None
    if not isinstance(found, str):
        faults.add((*at, name), f"must be a string, not {kind_of(found)}")
    elif "\0" in found:
        faults.add((*at, name), NUL)
    elif len(found) > MAX_QUERY:
        faults.add((*at, name), f"{len(found)} characters; the limit is {MAX_QUERY}", "too_long")
    else:
        return found.strip() or None
    return None


def _patterns(value: dict[str, Any], name: str, faults: Faults, at: Place) -> tuple[str, ...]:
    found = value.get(name)
    if found is None:
        return ()
    if not isinstance(found, list):
        faults.add((*at, name), f"must be an array of glob patterns, not {kind_of(found)}")
        return ()
    if len(found) > MAX_PATTERNS:
        faults.add((*at, name), f"{len(found)} patterns; the limit is {MAX_PATTERNS}", "too_long")
        return ()
    return _whole_list(found, faults, (*at, name))


def _whole_list(found: list[Any], faults: Faults, loc: Place) -> tuple[str, ...]:
    for place, pattern in enumerate(found):
        if not isinstance(pattern, str):
            faults.add((*loc, place), f"must be a string, not {kind_of(pattern)}")
        elif "\0" in pattern:
            faults.add((*loc, place), NUL)
        elif not pattern.strip():
            faults.add((*loc, place), "must not be empty")
    patterns = tuple(pattern.strip() for pattern in found if isinstance(pattern, str))
    try:
        globs.written_out(patterns)
    except globs.TooLong:
        limit = f"the limit is {globs.MAX_CHARACTERS} characters"
        faults.add(loc, f"too long, every {{a,b}} written out; {limit}", "too_long")
    return patterns
