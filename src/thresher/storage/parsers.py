"""The parsers that accounts have declared, by name and version. What a definition means is domain/definition.py."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from thresher.domain.parser_name import Reference
from thresher.storage.database import Connection

MOST = 1000  # names of an account that are not retired; a list has them all

_COLUMNS = "name, version, definition, created_at"

# The newest version of each name.
_LIST = f"""
SELECT DISTINCT ON (name) {_COLUMNS} FROM parser WHERE account_id = $1 AND retired_at IS NULL ORDER BY name, version DESC
"""

# All versions of one, the newest first.
_VERSIONS = f"""
SELECT {_COLUMNS} FROM parser WHERE account_id = $1 AND name = $2 AND retired_at IS NULL ORDER BY version DESC
"""

# The newest, and the highest number that was ever given.
_NEWEST = f"""
SELECT {_COLUMNS} FROM parser WHERE account_id = $1 AND name = $2 AND retired_at IS NULL ORDER BY version DESC LIMIT 1
"""

_COUNT = "SELECT count(DISTINCT name) FROM parser WHERE account_id = $1 AND retired_at IS NULL AND name <> $2"

# No row if somebody else has just made this version.
_ADD = f"""
INSERT INTO parser (account_id, name, version, definition)
SELECT $1, $2, coalesce(max(version), 0) + 1, $3 FROM parser WHERE account_id = $1 AND name = $2
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""

_RETIRE = """
UPDATE parser SET retired_at = now()
WHERE account_id = $1 AND name = $2 AND ($3::int IS NULL OR version = $3) AND retired_at IS NULL RETURNING version
"""

# Of each wanted name and version the one that is meant; a null version means the newest.
_RESOLVE = """
SELECT w.name, w.version AS wanted, max(p.version) AS version
FROM unnest($2::text[], $3::int[]) AS w (name, version)
JOIN parser p ON p.account_id = $1 AND p.name = w.name AND p.retired_at IS NULL
  AND (w.version IS NULL OR p.version = w.version)
GROUP BY w.name, w.version
"""

# What a batch's items are read by, retired or not.
_DEFINITIONS = """
SELECT p.name, p.version, p.definition
FROM unnest($2::text[], $3::int[]) AS w (name, version)
JOIN batch b ON b.id = $1
JOIN parser p ON p.account_id = b.account_id AND p.name = w.name AND p.version = w.version
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a parser. `definition` is JSON."""

    name: str
    version: int
    definition: str
    created_at: datetime

    @property
    def id(self) -> str:
        """What it is called wherever a parser is named: my-shop@3."""
        return str(Reference(self.name, self.version))


class TooManyParsers(Exception):
    """The account has as many names as it may."""


async def newest(connection: Connection, account: int) -> list[Version]:
    """The newest version of each of the account's parsers, by name."""
    return _all(await connection.fetch(_LIST, account))


async def versions(connection: Connection, account: int, name: str) -> list[Version]:
    """All versions of a parser of this account, the newest first; none if there is no such parser."""
    return _all(await connection.fetch(_VERSIONS, account, name))


async def put(connection: Connection, account: int, name: str, definition: str) -> tuple[Version, bool]:
    """The newest version of a parser from now on, and whether it was made for this: the same definition makes no other.

    Raises TooManyParsers.
    """
    while True:
        row = await connection.fetchrow(_NEWEST, account, name)
        if row is not None and row["definition"] == definition:
            return Version(**row), False
        if row is None and await connection.fetchval(_COUNT, account, name) >= MOST:
            raise TooManyParsers
        if (made := await connection.fetchrow(_ADD, account, name, definition)) is not None:
            return Version(**made), True


async def retire(connection: Connection, account: int, reference: Reference) -> list[int]:
    """Let no new batch choose a parser, or one version of it. Returns the versions, none if there is no such parser."""
    rows = await connection.fetch(_RETIRE, account, reference.name, reference.version)
    return sorted(row["version"] for row in rows)


async def resolve(
    connection: Connection, account: int, references: Collection[Reference]
) -> dict[Reference, Reference]:
    """Which versions are meant, by what was asked for; without those that this account does not have."""
    if not references:
        return {}
    rows = await connection.fetch(_RESOLVE, account, *_columns(references))
    return {Reference(row["name"], row["wanted"]): Reference(row["name"], row["version"]) for row in rows}


async def definitions(connection: Connection, batch: int, references: Collection[Reference]) -> dict[str, str]:
    """The JSON of these versions of the parsers of a batch's account, by their ids."""
    if not references:
        return {}
    rows = await connection.fetch(_DEFINITIONS, batch, *_columns(references))
    return {str(Reference(row["name"], row["version"])): row["definition"] for row in rows}


def _columns(references: Collection[Reference]) -> tuple[list[str], list[int | None]]:
    return [one.name for one in references], [one.version for one in references]


def _all(rows: list[asyncpg.Record]) -> list[Version]:
    return [Version(**row) for row in rows]
