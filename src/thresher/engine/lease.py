"""The proof that this process may still work at its shards.

A worker that was cut off from the database, or frozen, must stop before another takes its shards over: else a host
would see twice its limit. The keeper renews the leases of all shards of the process several times in the time after
which the queue gives them away, and a shard begins nothing once its last renewal is too old.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field

from thresher.storage import database, shards

log = logging.getLogger("thresher.lease")

_RENEWALS = 4  # in the time after which the queue gives a shard away
_TRUST = 0.75  # of that time: how long a renewal is relied on


@dataclass(slots=True)
class Lease:
    """The right to one shard. `lost` is set when it is gone, was not renewed in time, or its batch is being stopped."""

    shard: int
    number: int
    job: int
    trust: float  # seconds that one renewal is good for
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    _renewed: float = field(default_factory=time.monotonic)
    _end: asyncio.TimerHandle | None = None

    @property
    def valid(self) -> bool:
        """Whether something new may be begun. By the clock: after a freeze, timers fire late."""
        return not self.lost.is_set() and time.monotonic() - self._renewed < self.trust

    def renew(self, asked: float) -> None:
        """It was renewed by what was asked for at this moment of the monotonic clock."""
        self.cancel()
        self._renewed = asked
        self._end = asyncio.get_running_loop().call_later(asked + self.trust - time.monotonic(), self.lost.set)

    def cancel(self) -> None:
        if self._end is not None:
            self._end.cancel()


class LeaseKeeper:
    """Renews the leases of one worker process, over one connection of the pool at a time."""

    def __init__(self, pool: database.Pool, heartbeat: float) -> None:
        self._pool, self._heartbeat = pool, heartbeat
        self._leases: dict[int, Lease] = {}

    def hold(self, shard: int, number: int, job: int, claimed: float) -> Lease:
        """Keep renewing this lease until `release`. `claimed`: when the claim was asked for, on the monotonic clock."""
        lease = self._leases[shard] = Lease(shard, number, job, self._heartbeat * _TRUST)
        lease.renew(claimed)
        return lease

    def release(self, lease: Lease) -> None:
        lease.cancel()
        if self._leases.get(lease.shard) is lease:
            del self._leases[lease.shard]

    async def run(self) -> None:
        """Renew for ever. A failed renewal is only logged: its leases run out by themselves."""
        while True:
            await asyncio.sleep(self._heartbeat / _RENEWALS)
            if not self._leases:
                continue
            try:
                await self._renew(list(self._leases.values()))
            except database.PASSING as error:
                log.warning("leases not renewed: %s", error or type(error).__name__)
            except Exception:
                # Without this loop the process could hold nothing for longer than one renewal: it never ends.
                log.exception("leases not renewed")

    async def _renew(self, leases: list[Lease]) -> None:
        begun = time.monotonic()  # the renewal counts from before it was asked for
        async with self._pool.acquire(timeout=self._heartbeat) as connection:
            mine = [(lease.shard, lease.number, lease.job) for lease in leases]
            held = await shards.renew(connection, mine)
        for lease in leases:
            if lease.shard in held:
                lease.renew(begun)
            else:
                lease.lost.set()
