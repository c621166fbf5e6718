"""Accounts, their API keys, and the secrets that the processes of a cluster share."""

from dataclasses import dataclass

from thresher.domain import ids
from thresher.storage.database import Connection, connect

# A key that is known, not revoked and not expired.
_AUTHENTICATE = """
SELECT account_id, scopes FROM api_key
WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""

_ADD_KEY = "INSERT INTO api_key (hash, account_id, name) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING"


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks. `scopes` is empty for a key that may do everything."""

    id: int
    scopes: frozenset[str] = frozenset()


async def authenticate(connection: Connection, key: str) -> Account | None:
    """The account of a key, or None."""
    row = await connection.fetchrow(_AUTHENTICATE, ids.key_hash(key))
    return Account(row["account_id"], frozenset(row["scopes"])) if row else None


async def secret(connection: Connection, name: str) -> bytes:
    """A secret of the cluster, made by the first migration."""
    return bytes(await connection.fetchval("SELECT value FROM secret WHERE name = $1", name))


async def bootstrap(database_url: str, key: str | None) -> str | None:
    """See to it that there is an account and a key that opens it.

    With `key`, that key exists from now on. Without, a first start makes one and returns it, to be shown once; a later
    start returns None. Raises DatabaseUnavailable.
    """
    connection = await connect(database_url, "thresher bootstrap")
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE")
            account = await connection.fetchval("SELECT min(id) FROM account")
            if account is None:
                account = await connection.fetchval("INSERT INTO account (name) VALUES ('default') RETURNING id")
            made = None
            if key is None and not await connection.fetchval("SELECT EXISTS (SELECT FROM api_key)"):
                key = made = ids.api_key()
            if key is not None:
                await connection.execute(_ADD_KEY, ids.key_hash(key), account, "bootstrap")
            return made
    finally:
        await connection.close()
