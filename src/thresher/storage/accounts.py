"""Accounts, their API keys, and the secrets that the processes of a cluster share."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from thresher.domain import ids
from thresher.storage.database import Connection, connect

# The name of the keys that running servers keep for the commands of their own user; no other key can have it.
LOCAL = "local commands"

# A key that is known, not revoked and not expired.
_AUTHENTICATE = """
SELECT account_id, scopes FROM api_key
WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""

# The first account is the operator's.
_FIRST_ACCOUNT = "SELECT min(id) FROM account"

_ADD_KEY = "INSERT INTO api_key (hash, account_id, name) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING"

# The key's short id: 32 bits of a hash of 200 random bits tell keys apart, and open nothing.
_KEY = "left(encode(hash, 'hex'), 8) AS id, name, created_at, expires_at, revoked_at"

_CREATE_KEY = f"""
INSERT INTO api_key (hash, account_id, name, expires_at) VALUES ($1, ({_FIRST_ACCOUNT}), $2, now() + $3::interval)
RETURNING {_KEY}
"""

_LIST_KEYS = f"SELECT {_KEY} FROM api_key WHERE $1 OR name <> $2 ORDER BY created_at, hash"

# A second revocation changes nothing: the first one's time stays.
_REVOKE_KEY = f"""
UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE left(encode(hash, 'hex'), 8) = $1 RETURNING {_KEY}
"""

_DELETE_LOCAL = "DELETE FROM api_key WHERE hash = $1 AND name = $2"


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks. `scopes` is empty for a key that may do everything."""

    id: int
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Key:
    """What may be known of an API key: never the key. `id` is 8 hex digits."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


async def authenticate(connection: Connection, key: str) -> Account | None:
    """The account of a key, or None."""
    row = await connection.fetchrow(_AUTHENTICATE, ids.key_hash(key))
    return Account(row["account_id"], frozenset(row["scopes"])) if row else None


async def secret(connection: Connection, name: str) -> bytes:
    """A secret of the cluster, made by the first migration."""
    return bytes(await connection.fetchval("SELECT value FROM secret WHERE name = $1", name))


async def bootstrap(database_url: str, key: str | None, *, make: bool = True) -> str | None:
    """See to it that there is an account, and a key that opens it.

    With `key`, that key exists from now on. Without, and with `make`, a database that has no key yet gets one, which is
    returned, to be shown once; otherwise returns None. Raises DatabaseUnavailable.
    """
    connection = await connect(database_url, "thresher bootstrap")
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE")
            account = await connection.fetchval(_FIRST_ACCOUNT)
            if account is None:
                account = await connection.fetchval("INSERT INTO account (name) VALUES ('default') RETURNING id")
            made = None
            if make and key is None and not await list_keys(connection):
                key = made = ids.api_key()
            if key is not None:
                await connection.execute(_ADD_KEY, ids.key_hash(key), account, "bootstrap")
            return made
    finally:
        await connection.close()


async def create_key(connection: Connection, key: str, name: str, lifetime: timedelta | None = None) -> Key:
    """Have `key` open the first account, for so long or for good. Raises ValueError for the name that is reserved."""
    if name == LOCAL:
        raise ValueError(f"the name {LOCAL!r} is for the keys that servers make themselves")
    row = await connection.fetchrow(_CREATE_KEY, ids.key_hash(key), name, lifetime)
    assert row is not None  # noqa: S101 - INSERT returns its row
    return Key(**row)


async def list_keys(connection: Connection, *, local: bool = False) -> list[Key]:
    """All keys, the oldest first, revoked and expired ones too; with `local` also those of running servers."""
    return [Key(**row) for row in await connection.fetch(_LIST_KEYS, local, LOCAL)]


async def revoke_key(connection: Connection, key_id: str) -> Key | None:
    """End a key by its short id; None if there is none. The API may know it for five seconds more (api/auth.py)."""
    row = await connection.fetchrow(_REVOKE_KEY, key_id)
    return Key(**row) if row else None


async def add_local_key(connection: Connection, key: str) -> None:
    """Have `key` open the first account for the commands of the user that runs the server."""
    account = await connection.fetchval(_FIRST_ACCOUNT)
    await connection.execute(_ADD_KEY, ids.key_hash(key), account, LOCAL)


async def delete_local_key(connection: Connection, key: str) -> None:
    """Delete a key that `add_local_key` made; any other stays."""
    await connection.execute(_DELETE_LOCAL, ids.key_hash(key), LOCAL)
