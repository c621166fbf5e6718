"""API keys: who opens what, until when."""

from datetime import timedelta

import pytest

from thresher.domain import ids
from thresher.storage import accounts
from thresher.storage.accounts import LOCAL
from thresher.storage.database import Connection, connect
from thresher.storage.migrations import migrate


@pytest.fixture(autouse=True)
async def first_key(database_url: str) -> str:
    made = await accounts.bootstrap(database_url, None)
    assert made is not None
    return made


async def test_a_key_opens_the_account_until_it_is_revoked(connection: Connection, first_key: str) -> None:
    owner = await accounts.authenticate(connection, first_key)
    key = ids.api_key()
    made = await accounts.create_key(connection, key, "crawler")
    assert await accounts.authenticate(connection, key) == owner is not None
    revoked = await accounts.revoke_key(connection, made.id)
    assert revoked is not None
    assert revoked.revoked_at is not None
    assert await accounts.authenticate(connection, key) is None
    assert await accounts.revoke_key(connection, made.id) == revoked, "the first revocation stays"
    assert await accounts.authenticate(connection, first_key) == owner


async def test_a_key_opens_nothing_once_it_has_expired(connection: Connection) -> None:
    lasting, expired = ids.api_key(), ids.api_key()
    await accounts.create_key(connection, lasting, "lasting", timedelta(days=36_500))
    made = await accounts.create_key(connection, expired, "expired", timedelta(seconds=-1))
    assert made.expires_at is not None
    assert made.expires_at < made.created_at
    assert await accounts.authenticate(connection, lasting) is not None
    assert await accounts.authenticate(connection, expired) is None


async def test_the_list_has_every_key_and_no_way_to_use_one(connection: Connection, first_key: str) -> None:
    key = ids.api_key()
    made = await accounts.create_key(connection, key, "crawler")
    listed = await accounts.list_keys(connection)
    assert [each.name for each in listed] == ["bootstrap", "crawler"]
    assert listed[1] == made
    assert made.id == ids.key_hash(key).hex()[:8]
    assert key not in str(listed)


async def test_an_unknown_id_revokes_nothing(connection: Connection) -> None:
    before = await accounts.list_keys(connection)
    for unknown in ("00000000", "", "%", before[0].id[:7]):
        assert await accounts.revoke_key(connection, unknown) is None
    assert await accounts.list_keys(connection) == before


async def test_a_servers_own_key_is_told_apart(connection: Connection) -> None:
    key = ids.api_key()
    await accounts.add_local_key(connection, key)
    assert await accounts.authenticate(connection, key) is not None
    assert [each.name for each in await accounts.list_keys(connection)] == ["bootstrap"]
    assert [each.name for each in await accounts.list_keys(connection, local=True)] == ["bootstrap", LOCAL]
    with pytest.raises(ValueError, match=LOCAL):
        await accounts.create_key(connection, ids.api_key(), LOCAL)
    await accounts.delete_local_key(connection, key)
    assert await accounts.authenticate(connection, key) is None


async def test_no_other_key_is_deleted_as_a_servers_own(connection: Connection, first_key: str) -> None:
    await accounts.delete_local_key(connection, first_key)
    assert await accounts.authenticate(connection, first_key) is not None


async def test_a_servers_own_key_does_not_count_as_the_operators_first(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    assert await accounts.bootstrap(empty_database_url, None, make=False) is None
    opened = await connect(empty_database_url, "tests")
    try:
        await accounts.add_local_key(opened, ids.api_key())
    finally:
        await opened.close()
    assert await accounts.bootstrap(empty_database_url, None) is not None
    assert await accounts.bootstrap(empty_database_url, None) is None
