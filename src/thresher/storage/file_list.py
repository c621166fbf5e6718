"""An account's files, page by page, in whatever order: what is wanted, and the place behind which a page begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from thresher.storage.database import Connection
from thresher.storage.files import COLUMNS, THERE, File

# What files can be listed by, none of it null: the expression and its type. Files do not change after they were made.
_SORTS = {
    "created_at": ("f.seq", "bigint"),
    "last_modified_at": ("f.seq", "bigint"),
    "name": ('f.name COLLATE "C"', "text"),
    "purpose": ('f.purpose COLLATE "C"', "text"),
    "external_file_id": ("""coalesce(f.external_file_id, '') COLLATE "C\"""", "text"),
    "expires_at": ("coalesce(f.expires_at, 'infinity')", "timestamptz"),
}
SORTS = tuple(_SORTS)

_WANTED = f"""
FROM file f JOIN content c ON c.id = f.content_id
WHERE f.account_id = $1 AND ($2::uuid[] IS NULL OR f.id = ANY ($2)) AND ($3::text IS NULL OR f.name = $3)
  AND ($4::text IS NULL OR f.external_file_id = $4) AND {THERE}
"""

_COUNT = f"SELECT count(*) {_WANTED}"

Order = Sequence[tuple[str, bool]]  # names of SORTS, each with whether it descends
Place = list[str]  # a file's value of each, and its `seq`, as texts


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files: None for any."""

    ids: Sequence[UUID] | None = None
    name: str | None = None
    external_file_id: str | None = None


async def page(
    connection: Connection, account: int, wanted: Wanted, order: Order, after: Place | None, limit: int
) -> tuple[list[File], Place | None]:
    """Files in this order, equal ones in that of their making; and the place behind which more of them are, None if none are."""
    sorts = [(*_SORTS[name], descends) for name, descends in order] + [(*_SORTS["created_at"], False)]
    values: list[Any] = [account, wanted.ids, wanted.name, wanted.external_file_id, limit + 1]
    behind = f"AND ({_behind(sorts, len(values) + 1)})" if after else ""
    place = ", ".join(f"({expression})::text" for expression, _, _ in sorts)
    by = ", ".join(f"{expression} {'DESC' if descends else 'ASC'}" for expression, _, descends in sorts)
    query = f"SELECT {COLUMNS}, ARRAY[{place}] AS place {_WANTED} {behind} ORDER BY {by} LIMIT $5"
    rows = [dict(row) for row in await connection.fetch(query, *values, *(after or ()))]
    places = [row.pop("place") for row in rows]
    return [File(**row) for row in rows[:limit]], places[limit - 1] if len(rows) > limit else None


async def count(connection: Connection, account: int, wanted: Wanted) -> int:
    """How many there are of them."""
    found: int = await connection.fetchval(_COUNT, account, wanted.ids, wanted.name, wanted.external_file_id)
    return found


def _behind(sorts: Sequence[tuple[str, str, bool]], first: int) -> str:
    """Behind the place whose values are the parameters from `first` on: the same up to some value, and that behind."""
    same, ways = "", []
    for number, (expression, kind, descends) in enumerate(sorts, first):
        value = f"${number}::text::{kind}"
        ways.append(f"({same}{expression} {'<' if descends else '>'} {value})")
        same += f"{expression} = {value} AND "
    return " OR ".join(ways)
