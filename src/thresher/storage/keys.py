"""API keys: made, listed and revoked. Keys are random and long; only their hashes are stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from thresher.domain import ids
from thresher.domain.scopes import Scope
from thresher.storage.database import Connection

# The name of the keys that running servers keep for the commands of their own user; no other key can have it.
LOCAL = "local commands"

_ADD = "INSERT INTO api_key (hash, account_id, name) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING"

# The key's short id: 32 bits of a hash of 200 random bits tell keys apart, and open nothing.
_ID = "left(encode(k.hash, 'hex'), 8)"
_KEY = f"{_ID} AS id, k.name, a.name AS account, k.scopes, k.created_at, k.expires_at, k.revoked_at"

_CREATE = f"""
WITH k AS (
    INSERT INTO api_key (hash, account_id, name, expires_at, scopes) VALUES ($1, $2, $3, now() + $4::interval, $5)
    RETURNING *
)
SELECT {_KEY} FROM k JOIN account a ON a.id = k.account_id
"""

_GET = f"SELECT {_KEY} FROM api_key k JOIN account a ON a.id = k.account_id WHERE k.hash = $1"

_LIST = f"""
SELECT {_KEY} FROM api_key k JOIN account a ON a.id = k.account_id WHERE $1 OR k.name <> $2 ORDER BY k.created_at, k.hash
"""

# A second revocation changes nothing: the first one's time stays.
_REVOKE = f"""
UPDATE api_key k SET revoked_at = coalesce(k.revoked_at, now()) FROM account a
WHERE a.id = k.account_id AND {_ID} = $1 RETURNING {_KEY}
"""

_DELETE_LOCAL = "DELETE FROM api_key WHERE hash = $1 AND name = $2"


@dataclass(frozen=True, slots=True)
class Key:
    """What may be known of an API key: never the key. `id` is 8 hex digits; without `scopes` it may do everything."""

    id: str
    name: str
    account: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


async def add(connection: Connection, account: int, key: str, name: str) -> None:
    """Have `key` open an account for good. One that exists already stays as it is."""
    await connection.execute(_ADD, ids.key_hash(key), account, name)


async def create(
    connection: Connection,
    account: int,
    key: str,
    name: str,
    lifetime: timedelta | None = None,
    scopes: Iterable[Scope] = (),
) -> Key:
    """Have `key` open an account, for so long or for good. Raises ValueError for the name that is reserved."""
    if name == LOCAL:
        raise ValueError(f"the name {LOCAL!r} is for the keys that servers make themselves")
    [row] = await connection.fetch(_CREATE, ids.key_hash(key), account, name, lifetime, sorted(set(scopes)))
    return Key(**row)


async def get(connection: Connection, key_hash: bytes) -> Key | None:
    """What is known of a key, None if it was deleted."""
    row = await connection.fetchrow(_GET, key_hash)
    return Key(**row) if row else None


async def list_all(connection: Connection, *, local: bool = False) -> list[Key]:
    """All keys, the oldest first, revoked and expired ones too; with `local` also those of running servers."""
    return [Key(**row) for row in await connection.fetch(_LIST, local, LOCAL)]


async def revoke(connection: Connection, key_id: str) -> Key | None:
    """End a key by its short id; None if there is none. The API may know it for five seconds more (api/auth.py)."""
    row = await connection.fetchrow(_REVOKE, key_id)
    return Key(**row) if row else None


async def delete_local(connection: Connection, key: str) -> None:
    """Delete a key that was added under the name LOCAL; any other stays."""
    await connection.execute(_DELETE_LOCAL, ids.key_hash(key), LOCAL)
