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
from thresher.domain import credit, globs, parsers
from thresher.domain.choices import Content
from thresher.settings import Settings

Place = tuple[str | int, ...]

NO_PARSER = "No parser with this name and/or version found"  # the text by which SDKs know this refusal

MAX_CHARACTERS = 1_000_000  # of patterns, in the links of a request's items: all requests wait while they are read

# The fields of an item that are choices.
OWN = frozenset({"method", "headers", "timeout", "parser", "links_on_page", "content"})


@dataclass(frozen=True, slots=True)
class Own:
    """What an item chooses for itself, None for nothing; `price` in credits, if its parser is its own choice."""

    options: dict[str, Any] | None = None
    headers: dict[str, str] | None = field(default=None, repr=False)
    price: int | None = None


class OwnReader:
    """Reads what the items of one request choose. Links that many of them choose alike are looked at once."""

    def __init__(self, settings: Settings, faults: Faults) -> None:
        self._settings, self._faults = settings, faults
        self._links: dict[bytes, tuple[dict[str, Any] | None, Faults]] = {}  # by the field's JSON
        self._characters = 0

    def read(self, entry: dict[str, Any], at: Place) -> Own:
        """The choices of an item. A null counts as absent, but for `parser`: that is none, whatever the batch has."""
        faults = self._faults
        _check_method(entry.get("method"), faults, (*at, "method"))
        options: dict[str, Any] = {}
        if (timeout := _timeout(entry.get("timeout"), self._settings, faults, (*at, "timeout"))) is not None:
            options["timeout"] = timeout
        if "parser" in entry:
            options["parser"] = read_parser(entry, faults, at)
        if (links := self._read_links(entry, at)) is not None:
            options["links_on_page"] = links
        if content := read_choice(entry, "content", Content, faults, at):
            options["content"] = content
        price = credit.price(options) if "parser" in entry else None
        return Own(options or None, read_headers(entry, faults, at), price)

    def _read_links(self, entry: dict[str, Any], at: Place) -> dict[str, Any] | None:
        value = entry.get("links_on_page")
        if value is None:
            return None
        key = orjson.dumps(value)
        if key not in self._links:
            if self._characters > MAX_CHARACTERS:
                limit = f"the limit of all that differ in a request is {MAX_CHARACTERS} characters"
                fault = f"too long together with those before, every {{a,b}} written out; {limit}"
                self._faults.add((*at, "links_on_page"), fault, "too_long")
                return None
            self._links[key] = self._look(entry)
        stored, faults = self._links[key]
        self._faults.add_all(at, faults)
        return stored

    def _look(self, entry: dict[str, Any]) -> tuple[dict[str, Any] | None, Faults]:
        faults = Faults()
        with suppress(EnoughFaults):
            found = read_links_on_page(entry, faults)
            if found is not None and not faults.count:
                self._characters += found.characters
                return found.to_json(), faults
        self._characters += globs.MAX_CHARACTERS  # looking took as long as that, at the most
        return None, faults


def read_parser(fields: dict[str, Any], faults: Faults, at: Place = ()) -> str | None:
    """The id as it was given, which may be an alias: whoever reads it knows it as such. None for no parser."""
    value, loc = fields.get("parser"), (*at, "parser")
    if isinstance(value, dict):
        value, loc = value.get("id"), (*loc, "id")
    if value is None or value in ("", "none"):
        return None
    if not isinstance(value, str):
        faults.add(loc, f"must be a string, not {kind_of(value)}")
    elif parsers.find(value) is None:
        faults.add(loc, f"{NO_PARSER}: GET /v1/parsers lists those that there are")
    else:
        return value
    return None


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


def _check_method(value: Any, faults: Faults, loc: Place) -> None:
    if value is not None and value != "GET":
        shown = f"{value[:20]!r}" if isinstance(value, str) else kind_of(value)
        faults.add(loc, f"must be GET, not {shown}: pages are only read")


def _timeout(value: Any, settings: Settings, faults: Faults, loc: Place) -> float | None:
    most = settings.attempt_timeout
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add(loc, f"must be a number of seconds, not {kind_of(value)}")
    elif not 0 < value <= most:
        faults.add(loc, f"must be more than 0 and at most {most:g} seconds (THRESHER_ATTEMPT_TIMEOUT)")
    else:
        return float(value)
    return None
