"""Parsers that installed packages add: entry points of the group thresher.parsers, each checked before it counts.

One that cannot be used is left out and becomes a fault, a sentence that names it; it stops nothing. What parses is
imported by the converter child (convert/parsers/plugged.py), here only what describes it.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from thresher.plugin import Plugin

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "thresher.parsers"
MOST_CREDITS = 10_000

_ID = re.compile(r"@[a-z0-9][a-z0-9._-]{0,49}/[a-z0-9][a-z0-9._-]{0,99}")
_OURS = ("@thresher/", "@olostep/")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_LONGEST = 500  # characters of a fault


@dataclass(frozen=True, slots=True)
class Installed:
    """A parser of a package, with the package's name and version."""

    plugin: Plugin
    package: str


@dataclass(frozen=True, slots=True)
class Found:
    """What there is, by id, and why the rest is left out."""

    plugins: Mapping[str, Installed]
    faults: tuple[str, ...]


@functools.cache
def entries() -> "tuple[EntryPoint, ...]":
    """The entry points, in an order that does not change. Nothing is imported."""
    from importlib import metadata  # half as much to import as a converter child in all, which needs it for this alone

    return tuple(sorted(metadata.entry_points(group=GROUP), key=lambda entry: (package_of(entry), entry.name)))


@functools.cache
def installed() -> Found:
    """Every parser that can be used. Imports what describes them."""
    plugins: dict[str, Installed] = {}
    faults = []
    for entry in entries():
        try:
            plugin = entry.load()
            complaint = next(_complaints(plugin, plugins), None)
        except (Exception, SystemExit) as error:
            complaint = f"{type(error).__name__}: {error}"
        if complaint:
            faults.append(fault(f"{entry.name} ({entry.value})", package_of(entry), complaint))
        else:
            plugins[plugin.id] = Installed(plugin, package_of(entry))
    return Found(plugins, tuple(faults))


def package_of(entry: "EntryPoint") -> str:
    """The name and the version of the package that an entry point belongs to."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package without a name"


def fault(what: str, package: str, complaint: str) -> str:
    """The sentence about a parser that is left out; it may hold anything that an exception says."""
    return f"{what} of {package}: {complaint}".encode("utf-8", "replace").decode()[:_LONGEST]


def _complaints(plugin: Any, others: Mapping[str, Installed]) -> Iterator[str]:
    if not isinstance(plugin, Plugin):
        yield f"it is no thresher.plugin.Plugin, but of the type {type(plugin).__name__}"
        return
    if not isinstance(plugin.id, str) or not _ID.fullmatch(plugin.id):
        yield f"its id {plugin.id!r} is not of the form @vendor/name, in lower case"
        return
    if plugin.id.startswith(_OURS):
        yield f"its id {plugin.id} is of a vendor that is not yours: {' and '.join(_OURS)} are taken"
    if plugin.id in others:
        yield f"its id {plugin.id} is that of {others[plugin.id].package} already"
    if not isinstance(plugin.title, str) or not plugin.title.strip():
        yield "it has no title"
    if not isinstance(plugin.parse, str) or not _FUNCTION.fullmatch(plugin.parse):
        yield f"its parse {plugin.parse!r} is not of the form module:function"
    if type(plugin.credits) is not int or not 0 <= plugin.credits <= MOST_CREDITS:
        yield f"its credits {plugin.credits!r} are no integer from 0 to {MOST_CREDITS:,}"
    if not isinstance(plugin.schema, dict) or plugin.schema.get("type") != "object":
        yield "its schema is not that of an object"
    orjson.dumps([plugin.title, plugin.schema])  # what cannot be listed says so itself
