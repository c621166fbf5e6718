"""The secrets that sign an account's webhooks: one, and for a day after a rotation the one before it."""

from datetime import timedelta

from thresher.domain import webhook
from thresher.storage.database import Connection

OVERLAP = timedelta(hours=24)  # for which a retired secret goes on signing

# The current one first.
_KEYS = """
SELECT value FROM webhook_secret WHERE account_id = $1 AND (retired_at IS NULL OR retired_at > now() - $2::interval)
ORDER BY retired_at DESC NULLS FIRST
"""

_FIRST = """
INSERT INTO webhook_secret (account_id, value) VALUES ($1, $2)
ON CONFLICT (account_id) WHERE retired_at IS NULL DO NOTHING
"""

# In the place of one that a first delivery made meanwhile, which nobody has seen.
_NEXT = """
INSERT INTO webhook_secret (account_id, value) VALUES ($1, $2)
ON CONFLICT (account_id) WHERE retired_at IS NULL DO UPDATE SET value = excluded.value
"""

# Two rotations at once are one after the other.
_HOLD = "SELECT FROM account WHERE id = $1 FOR NO KEY UPDATE"

# Whoever rotates twice is rid of the first, so a secret that leaked can be ended at once.
_DROP = "DELETE FROM webhook_secret WHERE account_id = $1 AND retired_at IS NOT NULL"
_RETIRE = "UPDATE webhook_secret SET retired_at = now() WHERE account_id = $1 AND retired_at IS NULL"


async def keys(connection: Connection, account: int) -> list[bytes]:
    """What signs a delivery of this account now; its first secret is made here, unseen until a rotation shows the next."""
    found = await connection.fetch(_KEYS, account, OVERLAP)
    if not found:
        await connection.execute(_FIRST, account, webhook.new_secret())
        found = await connection.fetch(_KEYS, account, OVERLAP)
    return [bytes(row["value"]) for row in found]


async def rotate(connection: Connection, account: int) -> bytes:
    """A new secret in the place of the current one, which signs beside it for OVERLAP."""
    secret = webhook.new_secret()
    async with connection.transaction():
        await connection.execute(_HOLD, account)
        await connection.execute(_DROP, account)
        await connection.execute(_RETIRE, account)
        await connection.execute(_NEXT, account, secret)
    return secret
