"""For packages that add parsers: all that they may rely on of Thresher, from release to release. docs/plugins.md tells how.

A package names a `Plugin` under an entry point of the group `thresher.parsers`.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML page: its whole text as it was fetched, decoded and without NULs, and where it was found, after redirects."""

    html: str
    url: str


class NoMatch(Exception):
    """What a parser raises if the page does not have what it is for. The message is a sentence that says what."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A parser, described. `parse` names a function in a module, "acme.shop:parse": it is given a `Page` and returns a dict that

    fits JSON. It is imported only where pages are read, so that the rest needs nothing that it needs. `schema`: JSON
    Schema (2020-12) of what it returns; `credits`: what a completed item costs.
    """

    id: str  # @vendor/name
    title: str  # what it reads, in a line
    parse: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    credits: int = 1
