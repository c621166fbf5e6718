"""Accounts and API keys: who opens what, until when."""

from datetime import timedelta

import pytest

from thresher.domain import ids
from thresher.domain.scopes import Scope
from thresher.storage import accounts, keys, ledger
from thresher.storage.database import Connection, connect
from thresher.storage.keys import LOCAL
from thresher.storage.migrations import migrate

FIRST = 1  # the account that the bootstrap makes


@pytest.fixture(autouse=True)
async def first_key(database_url: str) -> str:
    made = await accounts.bootstrap(database_url, None)
    assert made is not None
    return made


async def opened(connection: Connection, key: str) -> int | None:
    """The account that a key opens."""
    found = await accounts.authenticate(connection, ids.key_hash(key))
    return found.id if found else None


async def test_a_key_opens_the_account_until_it_is_revoked(connection: Connection, first_key: str) -> None:
    assert await accounts.first(connection) == await opened(connection, first_key) == FIRST
    key = ids.api_key()
    made = await keys.create(connection, FIRST, key, "crawler")
    assert await opened(connection, key) == FIRST
    revoked = await keys.revoke(connection, made.id)
    assert revoked is not None
    assert revoked.revoked_at is not None
    assert await opened(connection, key) is None
    assert await keys.revoke(connection, made.id) == revoked, "the first revocation stays"
    assert await opened(connection, first_key) == FIRST


async def test_a_key_opens_nothing_once_it_has_expired(connection: Connection) -> None:
    lasting, expired = ids.api_key(), ids.api_key()
    await keys.create(connection, FIRST, lasting, "lasting", timedelta(days=36_500))
    made = await keys.create(connection, FIRST, expired, "expired", timedelta(seconds=-1))
    assert made.expires_at is not None
    assert made.expires_at < made.created_at
    assert await opened(connection, expired) is None
    found = await accounts.authenticate(connection, ids.key_hash(lasting))
    assert found is not None
    assert 36_499 * 86_400 < found.left <= 36_500 * 86_400


async def test_an_account_has_a_name_of_its_own_and_keys_that_open_nothing_else(connection: Connection) -> None:
    acme = await accounts.create(connection, "acme")
    assert acme not in (None, FIRST)
    assert await accounts.create(connection, "acme") is None
    org = (await ledger.statement(connection, acme)).org
    for name, found in (("acme", acme), (str(org).upper(), acme), ("default", FIRST), ("ACME", None), ("", None)):
        assert await accounts.find(connection, name) == found, name
    imposter = await accounts.create(connection, str(org))
    assert await accounts.find(connection, str(org)) == acme != imposter, "an id is not taken over by a name"
    key = ids.api_key()
    made = await keys.create(connection, acme, key, "reads", scopes=[Scope.READ, Scope.READ])
    assert (made.account, made.scopes) == ("acme", ["read"])
    found = await accounts.authenticate(connection, ids.key_hash(key))
    assert found is not None
    assert (found.id, found.scopes) == (acme, {"read"})
    assert await keys.get(connection, found.key_hash) == made


async def test_the_list_has_every_key_and_no_way_to_use_one(connection: Connection, first_key: str) -> None:
    key = ids.api_key()
    made = await keys.create(connection, FIRST, key, "crawler")
    listed = await keys.list_all(connection)
    assert [each.name for each in listed] == ["bootstrap", "crawler"]
    assert listed[1] == made
    assert made.id == ids.key_hash(key).hex()[:8]
    assert key not in str(listed)


async def test_an_unknown_id_revokes_nothing(connection: Connection) -> None:
    before = await keys.list_all(connection)
    for unknown in ("00000000", "", "%", before[0].id[:7]):
        assert await keys.revoke(connection, unknown) is None
    assert await keys.list_all(connection) == before


async def test_a_servers_own_key_is_told_apart(connection: Connection) -> None:
    key = ids.api_key()
    await keys.add(connection, FIRST, key, LOCAL)
    assert await opened(connection, key) is not None
    assert [each.name for each in await keys.list_all(connection)] == ["bootstrap"]
    assert [each.name for each in await keys.list_all(connection, local=True)] == ["bootstrap", LOCAL]
    with pytest.raises(ValueError, match=LOCAL):
        await keys.create(connection, FIRST, ids.api_key(), LOCAL)
    await keys.delete_local(connection, key)
    assert await opened(connection, key) is None


async def test_no_other_key_is_deleted_as_a_servers_own(connection: Connection, first_key: str) -> None:
    await keys.delete_local(connection, first_key)
    assert await opened(connection, first_key) is not None


async def test_a_servers_own_key_does_not_count_as_the_operators_first(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    assert await accounts.bootstrap(empty_database_url, None, make=False) is None
    opened = await connect(empty_database_url, "tests")
    try:
        await keys.add(opened, FIRST, ids.api_key(), LOCAL)
    finally:
        await opened.close()
    assert await accounts.bootstrap(empty_database_url, None) is not None
    assert await accounts.bootstrap(empty_database_url, None) is None
