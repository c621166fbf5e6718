"""Which parser a batch, or an item of it, chooses: read from the request, then looked up, where it is one of the account's own."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from thresher.api.olostep.faults import Faults, kind_of
from thresher.domain import parser_name, parsers
from thresher.domain.parser_name import LATEST, Reference
from thresher.storage import parsers as declared
from thresher.storage.database import Connection
from thresher.storage.submit import NewItem

NO_PARSER = "No parser with this name and/or version found"  # the text by which SDKs know this refusal
_HELP = f"{NO_PARSER}: GET /v1/parsers lists those that there are"
_KIND = "parser"  # of a fault that no schema can tell

Place = tuple[str | int, ...]


def read_parser(fields: dict[str, Any], faults: Faults, at: Place = ()) -> str | None:
    """The `parser` of a batch or an item, None for none: an id as it was given, which may be an alias, as whoever reads it knows

    it as such; or of a parser of the account's own the name, with the version that was asked for.
    """
    value: Any = fields.get("parser")
    version: Any = None
    loc: Place = (*at, "parser")
    if isinstance(value, dict):
        value, version, loc = value.get("id"), value.get("version"), (*loc, "id")
    if value is None or value in ("", "none"):
        return None
    if not isinstance(value, str):
        faults.add(loc, f"must be a string, not {kind_of(value)}")
        return None
    if parsers.find(value):
        return value  # these have no versions, and there are clients that send one
    reference = _with_version(parser_name.read(value), version)
    if reference is None:
        faults.add(loc, _HELP, _KIND)
    return str(reference) if reference else None


def _with_version(reference: Reference | None, version: Any) -> Reference | None:
    """None if the version is none, or another than the one in the name."""
    if reference is None or version is None:
        return reference
    number = int(version) if isinstance(version, str) and version.isascii() and version.isdigit() else version
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= LATEST:
        return None
    return Reference(reference.name, number) if reference.version in (None, number) else None


async def resolve(
    connection: Connection,
    account: int,
    options: dict[str, Any],
    items: Sequence[NewItem] = (),
    places: Iterable[Place] | None = None,
    refusals: Faults | None = None,
) -> None:
    """Put the versions that are meant into the options of a batch and of its items, where they choose parsers of the account's own.

    `places` are where the items stand in the request; items[0] and so on without any. Raises Problem(validation_error) for parsers
    that the account does not have; with `refusals`, what is wrong with items goes there instead.
    """
    found = [*_own(chain([((), options)], _of_items(items, places)))]
    known = await declared.resolve(connection, account, {reference for _, _, reference in found})
    with Faults() as faults:
        for place, chosen, reference in found:
            if reference in known:
                chosen["parser"] = str(known[reference])
            else:
                (refusals if refusals is not None and place else faults).add((*place, "parser"), _HELP, _KIND)


def _of_items(items: Sequence[NewItem], places: Iterable[Place] | None) -> Iterator[tuple[Place, dict[str, Any]]]:
    where = (("items", index) for index in range(len(items))) if places is None else places
    return ((place, item.options) for place, item in zip(where, items, strict=True) if item.options)


def _own(chosen: Iterable[tuple[Place, dict[str, Any]]]) -> Iterator[tuple[Place, dict[str, Any], Reference]]:
    for place, options in chosen:
        name = options.get("parser")
        if name and not parsers.find(name) and (reference := parser_name.read(name)):
            yield place, options, reference
