"""Migrations: from nothing, again, and at once; and that SQL and the tables of domain/states.py say the same."""

import asyncio
import re
import sys
from collections.abc import Iterable
from enum import Enum

import pytest

from thresher.domain.states import BatchState, ItemState, Outcome, ShardState
from thresher.storage import database, migrations
from thresher.storage.database import Connection, DatabaseUnavailable

_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('thresher', 'thresher_queue')"
_CHECKS = """
SELECT conrelid::regclass::text AS tab, pg_get_constraintdef(oid) AS text
FROM pg_constraint WHERE contype = 'c' AND connamespace = 'thresher'::regnamespace
"""


async def _applied(url: str) -> tuple[list[int], int]:
    connection = await database.connect(url, "test")
    try:
        rows = await connection.fetch("SELECT version FROM schema_migration ORDER BY version")
        return [row["version"] for row in rows], await connection.fetchval(_TABLES)
    finally:
        await connection.close()


def test_the_numbers_have_no_gap() -> None:
    numbers = [migration.version for migration in migrations.available()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


async def test_an_empty_database_is_brought_up_and_a_second_run_changes_nothing(empty_database_url: str) -> None:
    await migrations.migrate(empty_database_url)
    first = await _applied(empty_database_url)
    await migrations.migrate(empty_database_url)
    assert await _applied(empty_database_url) == first
    assert first[0] == [migration.version for migration in migrations.available()]
    assert first[1] > 10


async def test_the_cluster_secret_survives_a_second_migration(empty_database_url: str) -> None:
    secrets = set()
    for _ in range(2):
        await migrations.migrate(empty_database_url)
        connection = await database.connect(empty_database_url, "test")
        secrets.add(await connection.fetchval("SELECT value FROM secret WHERE name = 'retrieve_id'"))
        await connection.close()
    assert len(secrets) == 1
    assert len(secrets.pop()) == 32


async def test_two_processes_that_migrate_at_once_take_turns(empty_database_url: str) -> None:
    program = "import asyncio, sys; from thresher.storage.migrations import migrate; asyncio.run(migrate(sys.argv[1]))"
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, empty_database_url, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    ended = await asyncio.gather(*(process.communicate() for process in started))
    assert [process.returncode for process in started] == [0, 0], ended
    assert (await _applied(empty_database_url))[0] == [migration.version for migration in migrations.available()]


async def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        await migrations.migrate("postgresql://someone:topsecret@127.0.0.1:1/nothing")
    assert "topsecret" not in str(caught.value)


def _words(text: str) -> set[str]:
    return set(re.findall(r"'([^']*)'::text", text))


def _values(states: Iterable[Enum]) -> set[str]:
    return {str(state.value) for state in states}


async def _check(connection: Connection, table: str, column: str) -> str:
    """The CHECK that lists the values of a column."""
    rows = await connection.fetch(_CHECKS)
    found = [row["text"] for row in rows if row["tab"] == table and f"{column} = ANY" in row["text"]]
    plain = [text for text in found if " OR " not in text and ") = (" not in text]
    assert len(plain) == 1, found
    return str(plain[0])


async def test_the_states_that_sql_admits_are_those_of_the_domain(connection: Connection) -> None:
    assert _words(await _check(connection, "batch_progress", "state")) == _values(BatchState)
    assert _words(await _check(connection, "batch_progress", "outcome")) == _values(Outcome)
    assert _words(await _check(connection, "shard", "state")) == _values(ShardState)
    items = await _check(connection, "item", "state")
    assert set(re.findall(r"\d+", items)) == _values(ItemState)


@pytest.mark.parametrize("table", ["batch_progress", "item", "shard"])
async def test_every_table_with_states_says_what_they_are(connection: Connection, table: str) -> None:
    assert await _check(connection, table, "state")
