"""Definitions of parsers in requests: parsed, checked whole, and compiled once, so that nothing is kept that cannot be run."""

from dataclasses import dataclass
from typing import Any

from thresher.api.olostep.faults import Faults, kind_of
from thresher.api.olostep.parser_choice import read_parser
from thresher.api.olostep.requests import read_object
from thresher.api.olostep.urls import read_url, too_long
from thresher.convert.parsers import declared
from thresher.domain import definition
from thresher.domain.definition import InvalidDefinition
from thresher.domain.url import InvalidUrl, Url
from thresher.settings import Settings

_KIND = "definition"  # of a fault that no schema can tell


@dataclass(frozen=True, slots=True)
class Trial:
    """What to try: the JSON of a definition, or the id of a parser; on `html` found at `url`, or on what is there to be fetched."""

    definition: str | None
    parser: str | None
    html: str | None
    url: Url | None


def read_definition(body: bytes, settings: Settings) -> str:
    """The JSON to be kept of a definition that can be run. Raises Problem(validation_error) naming fields and limits."""
    value = read_object(body, settings)
    with Faults() as faults:
        _check(value, (), faults)
    return definition.text_of(value)


def read_trial(body: bytes, settings: Settings) -> Trial:
    """Parse and check what is to be tried. Raises Problem(validation_error)."""
    request = read_object(body, settings)
    with Faults() as faults:
        given, parser = request.get("definition"), read_parser(request, faults)
        if (given is None) == (parser is None):
            faults.add(("definition",), "is required, or else a parser: one of the two", _KIND)
        elif given is not None:
            _check(given, ("definition",), faults)
        html, url = request.get("html"), request.get("url")
        if html is None and url is None:
            faults.add(("html",), "is required, or else the url of a page to be fetched", _KIND)
        if html is not None and (not isinstance(html, str) or not html.strip()):
            faults.add(("html",), f"must be the HTML of a page, not {kind_of(html) if html else 'nothing'}")
        elif html is not None and too_long(html, settings.max_body_bytes):
            limit = settings.max_body_bytes
            faults.add(
                ("html",), f"{len(html.encode())} bytes; the limit of a page is {limit} (THRESHER_MAX_BODY_BYTES)"
            )
        where = _url(url, settings, faults)
    return Trial(None if given is None else definition.text_of(given), parser, html, where)


def _check(value: Any, place: tuple[str, ...], faults: Faults) -> None:
    try:
        found = declared.faults(definition.read(value))
    except InvalidDefinition as invalid:
        found = invalid.faults
    for loc, message in found:
        faults.add((*place, *loc), message, _KIND)


def _url(value: Any, settings: Settings, faults: Faults) -> Url | None:
    if value is None:
        return None
    if not isinstance(value, str):
        faults.add(("url",), f"must be a string, not {kind_of(value)}")
        return None
    try:
        return read_url(value, settings.max_url_bytes)
    except InvalidUrl as error:
        faults.add(("url",), str(error))
        return None
