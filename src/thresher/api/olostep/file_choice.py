"""Which files the items of a request are: looked up all at once, on the connection that then writes the items."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from thresher.api.olostep.faults import Faults
from thresher.domain import refs
from thresher.storage import files
from thresher.storage.database import Connection
from thresher.storage.submit import NewItem

Place = tuple[str | int, ...]

_GONE = "there is no file with this id; it may have been deleted, or its time is over"


async def with_files(
    connection: Connection,
    account: int,
    items: Sequence[NewItem],
    places: Iterable[Place] | None = None,
    refusals: Faults | None = None,
) -> list[NewItem]:
    """The items, each that refers to a file with that file; those that have it already stay as they are.

    `places` are where they stand in the request; items[0] and so on without any. Raises Problem(validation_error) for files that the
    account does not have; with `refusals`, what is wrong goes there instead, and such an item stays without a file.
    """
    wanted = {refs.file_of(item.ref) for item in items if refs.is_file(item.ref) and not item.file}
    if not wanted:
        return [*items]
    known = await files.get_many(connection, account, wanted)
    where = (("items", index) for index in range(len(items))) if places is None else places
    found = []
    with Faults() as faults:
        for place, item in zip(where, items, strict=True):
            if item.file or not refs.is_file(item.ref):
                found.append(item)
            elif file := known.get(refs.file_of(item.ref)):
                found.append(replace(item, file=file))
            else:
                found.append(item)
                (faults if refusals is None else refusals).add((*place, "file_id"), _GONE, "file")
    return found
