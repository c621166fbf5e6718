"""Numbered SQL files, applied once each, in order, under an advisory lock. Expand first, contract a release later.

The files lie in schema/. The queue library's schema is brought up by
storage/queue.py, outside a transaction, because its upgrades cannot run in one.
"""

import re
from dataclasses import dataclass
from importlib import resources

from thresher.storage import queue
from thresher.storage.database import SCHEMA, Connection, connect

_LOCK = 0x7468_7265_7368  # any number of ours: two processes that migrate at once take turns
_NAME = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str


def available() -> list[Migration]:
    """Every migration of this release, in order. The numbers have no gaps."""
    folder = resources.files("thresher.storage") / "schema"
    found = [
        Migration(int(match[1]), entry.name, entry.read_text("utf-8"))
        for entry in folder.iterdir()
        if (match := _NAME.fullmatch(entry.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


async def migrate(database_url: str) -> None:
    """Bring the database up to this release; a no-op when it is. Raises DatabaseUnavailable."""
    connection = await connect(database_url, "thresher migrate")
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration"
            " (version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        await _apply_missing(connection)
        await queue.install(connection)
    finally:
        await connection.close()  # which releases the lock


async def lacking(connection: Connection) -> list[str]:
    """The names of the migrations of this release that the database has not had. It changes nothing."""
    if await connection.fetchval("SELECT to_regclass('schema_migration')") is None:
        return [migration.name for migration in available()]
    applied = await _applied(connection)
    return [migration.name for migration in available() if migration.version not in applied]


async def _applied(connection: Connection) -> set[int]:
    return {row["version"] for row in await connection.fetch("SELECT version FROM schema_migration")}


async def _apply_missing(connection: Connection) -> None:
    applied = await _applied(connection)
    for migration in available():
        if migration.version in applied:
            continue
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migration (version, name) VALUES ($1, $2)", migration.version, migration.name
            )
