"""What accounts may spend: their grants, less what their ended batches were billed, less what their live ones reserve.

The ledger is the only record. An account without a limit is locked by nobody; the submits of one with a limit come one
after the other, so that all of them together never reserve more than there is.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from thresher.domain import credit
from thresher.storage.database import Connection

# The lock that every row which refers to an account takes on it, a little sooner: nobody gives it a limit meanwhile.
_LIMITED = "SELECT credit_limited FROM account WHERE id = $1 FOR KEY SHARE"

# Kept for the whole submit. It lets others refer to the account, or no batch of it could end meanwhile; and who ends
# one holds that batch's lock, which an append takes after this one.
_HOLD = "SELECT FROM account WHERE id = $1 FOR NO KEY UPDATE"

# Against all submits, also of an account that has no limit yet: none of them may be half way when it gets one.
_HOLD_ALL = "SELECT FROM account WHERE id = $1 FOR UPDATE"

_STATEMENT = """
SELECT a.id, a.org, a.name, a.created_at, a.credit_limited AS limited, spent.granted, live.reserved, spent.consumed
FROM account a
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount) FILTER (WHERE kind = 'grant'), 0)::bigint AS granted,
           coalesce(sum(amount) FILTER (WHERE kind = 'settle'), 0)::bigint AS consumed
    FROM ledger WHERE account_id = a.id AND kind <> 'reserve') AS spent
CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.amount), 0)::bigint AS reserved
    FROM batch_progress p JOIN ledger l ON l.batch_id = p.batch_id AND l.kind = 'reserve'
    WHERE p.account_id = a.id AND p.state <> 'done') AS live
"""
_ONE = f"{_STATEMENT} WHERE a.id = $1"
_ALL = f"{_STATEMENT} ORDER BY a.id"

_SET_LIMITED = "UPDATE account SET credit_limited = $2 WHERE id = $1"

_GRANT = "INSERT INTO ledger (account_id, kind, amount, note) VALUES ($1, 'grant', $2, $3)"

USED_BEFORE = "used before there was a limit"  # the note of the grant that a new limit begins with


class TooFew(Exception):
    """More credits are to be taken back than are available; the message says how many are."""


@dataclass(frozen=True, slots=True)
class Statement:
    """An account, and its credits at one instant. `id` is internal, `org` is the id that it is known by."""

    id: int
    org: UUID
    name: str
    created_at: datetime
    limited: bool
    granted: int
    reserved: int
    consumed: int

    @property
    def left(self) -> int:
        """What its grants leave; of an account without a limit this may be negative."""
        return self.granted - self.consumed - self.reserved

    @property
    def available(self) -> int | None:
        """The credits that may still be spent, None for any number."""
        return self.left if self.limited else None


async def statement(connection: Connection, account: int) -> Statement:
    """How an account stands."""
    [row] = await connection.fetch(_ONE, account)
    return Statement(**row)


async def statements(connection: Connection) -> list[Statement]:
    """How all accounts stand, the oldest first."""
    return [Statement(**row) for row in await connection.fetch(_ALL)]


async def hold(connection: Connection, account: int) -> bool:
    """Whether an account has a limit; if so, its credits are the caller's alone until the end of its transaction.

    It comes before the lock of any batch.
    """
    limited = bool(await connection.fetchval(_LIMITED, account))
    if limited:
        await connection.execute(_HOLD, account)
    return limited


async def afford(connection: Connection, account: int, needed: int) -> None:
    """Raise Problem(credits_exhausted) if a limited account that the caller holds has fewer credits available than needed."""
    left = (await statement(connection, account)).left
    if needed > left:
        raise credit.exhausted(needed, left)


async def grant(connection: Connection, account: int, amount: int, note: str | None = None) -> None:
    """Give an account credits, or with a negative amount take some back. Raises TooFew for more than are available.

    An account without a limit has one from then on; what it used before, beyond its grants, is not counted.
    """
    async with connection.transaction():
        await connection.execute(_HOLD_ALL, account)
        now = await statement(connection, account)
        left = now.left
        if not now.limited:
            await connection.execute(_SET_LIMITED, account, True)
            if left < 0:
                await connection.execute(_GRANT, account, -left, USED_BEFORE)
                left = 0
        if left + amount < 0:
            raise TooFew(f"{-amount} credits cannot be taken back: {left} are available")
        if amount:
            await connection.execute(_GRANT, account, amount, note)


async def lift(connection: Connection, account: int) -> None:
    """Let an account spend any number of credits."""
    await connection.execute(_SET_LIMITED, account, False)
