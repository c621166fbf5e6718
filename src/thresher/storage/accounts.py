"""Accounts, whom a key opens them for, and the secrets that the processes of a cluster share."""

import math
from dataclasses import dataclass
from uuid import UUID

from thresher.domain import ids
from thresher.storage import keys, ledger
from thresher.storage.database import Connection, connect

# A key that is known, not revoked and not expired; `left` are the seconds until it expires.
_AUTHENTICATE = """
SELECT k.account_id, a.credit_limited, a.org, a.project, k.scopes, extract(epoch FROM k.expires_at - now())::float8 AS left
FROM api_key k JOIN account a ON a.id = k.account_id
WHERE k.hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""

# The first account is the operator's.
_FIRST = "SELECT min(id) FROM account"

_INSERT = "INSERT INTO account (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id"

# An id before a name that looks like one.
_FIND = "SELECT id FROM account WHERE org::text = lower($1) OR name = $1 ORDER BY name = $1 LIMIT 1"


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks, as of a look. `org` and `project` are its ids in the parse API. `scopes` is empty for a key that may do everything; `left`: seconds until it expires;
    `limited`: whether the account's credits are.
    """

    id: int
    org: UUID
    project: UUID
    key_hash: bytes
    scopes: frozenset[str] = frozenset()
    left: float = math.inf
    limited: bool = False


async def authenticate(connection: Connection, key_hash: bytes) -> Account | None:
    """The account of a key, or None."""
    row = await connection.fetchrow(_AUTHENTICATE, key_hash)
    if row is None:
        return None
    left = math.inf if row["left"] is None else row["left"]
    opened = (row["account_id"], row["org"], row["project"], key_hash)
    return Account(*opened, frozenset(row["scopes"]), left, row["credit_limited"])


async def secret(connection: Connection, name: str) -> bytes:
    """A secret of the cluster, made by a migration."""
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
            account = await connection.fetchval(_FIRST)
            if account is None:
                account = await connection.fetchval(_INSERT, "default")
            made = None
            if make and key is None and not await keys.list_all(connection):
                key = made = ids.api_key()
            if key is not None:
                await keys.add(connection, account, key, "bootstrap")
            return made
    finally:
        await connection.close()


async def first(connection: Connection) -> int:
    """The operator's own account, which every database has from its bootstrap on."""
    account: int = await connection.fetchval(_FIRST)
    return account


async def create(connection: Connection, name: str, grant: int | None = None) -> int | None:
    """A new account, with a limit if credits are granted to it, and without one if not. None if the name is taken."""
    async with connection.transaction():
        account: int | None = await connection.fetchval(_INSERT, name)
        if account is not None and grant is not None:
            await ledger.grant(connection, account, grant, "at the creation")
        return account


async def find(connection: Connection, name: str) -> int | None:
    """The account of this name, or of this public id; None if there is none."""
    account: int | None = await connection.fetchval(_FIND, name)
    return account
