"""What a batch chooses for its items, and an item for itself: read by the same rules, into the form in which it is stored.

The faults of an item say `at` which place of the request it is.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from thresher.api.olostep.faults import EnoughFaults, Faults, kind_of
from thresher.api.olostep.headers import read_headers
from thresher.api.olostep.link_options import read_links_on_page
from thresher.api.olostep.parser_choice import read_parser
from thresher.domain import credit, globs
from thresher.domain.choices import Content
from thresher.settings import Settings

Place = tuple[str | int, ...]

MAX_CHARACTERS = 1_000_000  # of patterns, in the links of a request's items: all requests wait while they are read

# The fields of an item that are choices: those that many items have alike, and headers.
_ALIKE = ("method", "timeout", "parser", "links_on_page", "content")
OWN = frozenset((*_ALIKE, "headers"))


@dataclass(frozen=True, slots=True)
class Own:
    """What an item chooses for itself, None for nothing; `price` in credits, if its parser is its own choice."""

    options: dict[str, Any] | None = None
    headers: dict[str, str] | None = field(default=None, repr=False)
    price: int | None = None


class OwnReader:
    """Reads what the items of one request choose. What many of them choose alike is looked at once."""

    def __init__(self, settings: Settings, faults: Faults) -> None:
        self._settings, self._faults = settings, faults
        self._known: dict[bytes, tuple[Own, Faults]] = {}  # by their JSON
        self._characters = 0

    def read(self, entry: dict[str, Any], at: Place) -> Own:
        """The choices of an item. A null counts as absent: clients write what is not set so."""
        chosen = {name: entry[name] for name in _ALIKE if entry.get(name) is not None}
        own = self._look_up(chosen, at) if chosen else Own()
        headers = read_headers(entry, self._faults, at)
        return own if headers is None else Own(own.options, headers, own.price)

    def _look_up(self, chosen: dict[str, Any], at: Place) -> Own:
        key = orjson.dumps(chosen)
        if key not in self._known:
            if self._characters > MAX_CHARACTERS and chosen.get("links_on_page") is not None:
                limit = f"the limit of all that differ in a request is {MAX_CHARACTERS} characters"
                fault = f"too long together with those before, every {{a,b}} written out; {limit}"
                self._faults.add((*at, "links_on_page"), fault, "too_long")
                return Own()
            faults = Faults()
            self._known[key] = self._look(chosen, faults), faults
        own, faults = self._known[key]
        self._faults.add_all(at, faults)
        return own

    def _look(self, chosen: dict[str, Any], faults: Faults) -> Own:
        options: dict[str, Any] = {}
        with suppress(EnoughFaults):
            _check_method(chosen.get("method"), faults)
            if (timeout := _timeout(chosen.get("timeout"), self._settings, faults)) is not None:
                options["timeout"] = timeout
            if "parser" in chosen:
                options["parser"] = read_parser(chosen, faults)
            if content := read_choice(chosen, "content", Content, faults):
                options["content"] = content
            if (links := self._read_links(chosen, faults)) is not None:
                options["links_on_page"] = links
        return Own(options or None, None, credit.price(options) if "parser" in options else None)

    def _read_links(self, chosen: dict[str, Any], faults: Faults) -> dict[str, Any] | None:
        if chosen.get("links_on_page") is None:
            return None
        before = faults.count
        links = read_links_on_page(chosen, faults)
        if links is None or faults.count > before:
            self._characters += globs.MAX_CHARACTERS  # as many as may have been looked at
            return None
        self._characters += links.characters
        return links.to_json()


def read_choice(fields: dict[str, Any], name: str, kind: type[StrEnum], faults: Faults, at: Place = ()) -> str | None:
    """A field that is one of a few words, None if it is not there."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in set(kind):
        shown = f"{value[:20]!r}" if isinstance(value, str) else kind_of(value)
        faults.add((*at, name), f"must be one of {', '.join(kind)}, not {shown}")
        return None
    return value


def _check_method(value: Any, faults: Faults) -> None:
    if value is not None and value != "GET":
        shown = f"{value[:20]!r}" if isinstance(value, str) else kind_of(value)
        faults.add(("method",), f"must be GET, not {shown}: pages are only read")


def _timeout(value: Any, settings: Settings, faults: Faults) -> float | None:
    most, loc = settings.attempt_timeout, ("timeout",)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add(loc, f"must be a number of seconds, not {kind_of(value)}")
    elif not 0 < value <= most:
        faults.add(loc, f"must be more than 0 and at most {most:g} seconds (THRESHER_ATTEMPT_TIMEOUT)")
    else:
        return float(value)
    return None
