"""One claimed shard: its items run host by host under the host limit, until they are done or the slice is over.

What is finished goes to the settler; what is not comes back as the rests of the shard: items to retry later, items of
paused hosts, and those not begun. Nothing sleeps on a slot.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from thresher.domain import retry, url
from thresher.domain.choices import Choices
from thresher.domain.failure import FAILURES, Failure, FailureCode
from thresher.domain.states import ItemState
from thresher.engine.lease import Lease
from thresher.engine.politeness import pause_for
from thresher.engine.settler import Settler
from thresher.pipeline.item import Attempt
from thresher.settings import Settings
from thresher.storage.settling import Settled
from thresher.storage.shards import Claim, Rest, ShardItem

log = logging.getLogger("thresher.shard")

AttemptItem = Callable[[url.Url, float, Choices], Awaitable[Attempt]]
PauseHost = Callable[[str, float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Engine:
    """What all shards of a worker share. `slots` bounds the requests under way in the process."""

    settings: Settings
    settler: Settler
    attempt: AttemptItem
    pause: PauseHost
    slots: asyncio.Semaphore


@dataclass(slots=True)
class _Task:
    item: ShardItem
    url: url.Url


@dataclass(slots=True)
class _Host:
    """The items of one host that are not begun, and for how long the host is paused (seconds; 0: it is not)."""

    name: str
    todo: deque[_Task] = field(default_factory=deque)
    paused: float = 0.0


class ShardRun:
    """Runs once. `stop` and `abort` may be called at any time, more than once."""

    def __init__(self, claim: Claim, lease: Lease, engine: Engine, paused: dict[str, float]) -> None:
        self._claim, self._lease, self._engine, self._paused = claim, lease, engine, paused
        self._choices = Choices.of(claim.options)
        self._slice_ends = time.monotonic() + engine.settings.slice_seconds
        self._stopped, self._aborted = asyncio.Event(), asyncio.Event()
        self._unsettled: dict[int, ShardItem] = {item.ord: item for item in claim.items}
        self._retries: list[tuple[int, float, dict[str, Any]]] = []
        self._settling: dict[int, asyncio.Future[bool]] = {}

    def stop(self) -> None:
        """Begin nothing more; what is under way gets `stop_grace`, the rest is given back."""
        self._stopped.set()

    def abort(self) -> None:
        """Break off what is under way as well: the batch was stopped or is past its deadline."""
        self._stopped.set()
        self._aborted.set()

    async def run(self) -> list[Rest]:
        """Work until everything is settled or given back; the return value is what `shards.end` is to be told.

        Everything that it does not return is settled when it returns.
        """
        hosts = self._by_host()
        expiry = asyncio.get_running_loop().call_later(max(0.0, _until(self._claim.deadline_at)), self.abort)
        try:
            await self._until_done_or_stopped(asyncio.create_task(self._serve_all(hosts)))
        finally:
            expiry.cancel()
        await asyncio.gather(*self._settling.values())
        self._drop_settled()
        return self._rests(hosts)

    async def recover(self) -> list[Rest]:
        """After a bug in `run`: everything that is not known to be settled, a little later, with its deadline running."""
        await asyncio.gather(*self._settling.values(), return_exceptions=True)
        self._drop_settled()
        begun = {str(item.ord): item.attempts for item in self._unsettled.values() if item.attempts}
        if not self._unsettled:
            return []
        return [Rest(list(self._unsettled), timedelta(seconds=5), self._claim.dispatched_at, begun or None)]

    def _by_host(self) -> list[_Host]:
        hosts: dict[str, _Host] = {}
        for item in self._claim.items:
            parsed = url.parse(item.ref)
            host = hosts.setdefault(parsed.host, _Host(parsed.host, paused=self._paused.get(parsed.host, 0.0)))
            host.todo.append(_Task(item, parsed))
        return list(hosts.values())

    async def _until_done_or_stopped(self, work: asyncio.Task[None]) -> None:
        grace = self._engine.settings.stop_grace
        events = [asyncio.create_task(event.wait()) for event in (self._stopped, self._aborted, self._lease.lost)]
        try:
            await asyncio.wait({work, *events}, return_when=asyncio.FIRST_COMPLETED)
            if not self._over(work):
                await asyncio.wait({work, *events[1:]}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for event in events:
                event.cancel()
            work.cancel()  # what it holds stays unsettled, and is given back
        await asyncio.wait({work})
        if not work.cancelled():
            work.result()  # a bug in `_serve` shows here

    def _over(self, work: asyncio.Task[None]) -> bool:
        return work.done() or self._aborted.is_set() or self._lease.lost.is_set()

    async def _serve_all(self, hosts: list[_Host]) -> None:
        connections = self._engine.settings.connections_per_host
        async with asyncio.TaskGroup() as group:
            for host in hosts:
                for _ in range(min(connections, len(host.todo))):
                    group.create_task(self._serve(host))

    async def _serve(self, host: _Host) -> None:
        """One of the host's connections: item after item."""
        while host.todo and self._may_begin(host):
            async with self._engine.slots:
                await self._engine.settler.room()
                if not host.todo or not self._may_begin(host):
                    return
                await self._do(host, host.todo.popleft())

    def _may_begin(self, host: _Host) -> bool:
        return (
            not host.paused and not self._stopped.is_set() and self._lease.valid and time.monotonic() < self._slice_ends
        )

    async def _do(self, host: _Host, task: _Task) -> None:
        batch = self._claim.batch
        self._engine.settler.begin(batch)
        try:
            result = await self._attempt(task)
            if result.failure is not None and result.failure.code is FailureCode.RATE_LIMITED:
                host.paused = pause_for(result.retry_after)
                await self._share_pause(host)
            self._conclude(task.item, result, host.paused)
        finally:
            self._engine.settler.end(batch)

    async def _share_pause(self, host: _Host) -> None:
        try:
            await self._engine.pause(host.name, host.paused)
        except Exception:  # it holds here all the same; what is under way at other hosts goes on
            log.exception("the pause of %s is not shared", host.name)

    async def _attempt(self, task: _Task) -> Attempt:
        timeout, left = self._engine.settings.attempt_timeout, self._seconds_left()
        if left <= 0:
            return _failed(FailureCode.DEADLINE)
        try:
            result = await self._engine.attempt(task.url, min(timeout, left), self._choices)
        except Exception:  # a bug at this item: it fails by name, and its neighbours go on
            log.exception("item %s/%s", self._claim.batch_public_id, task.item.ord)
            return _failed(FailureCode.INTERNAL)
        if result.failure is not None and result.failure.code is FailureCode.TIMEOUT and left < timeout:
            return replace(result, failure=_failed(FailureCode.DEADLINE).failure)
        return result

    def _conclude(self, item: ShardItem, result: Attempt, paused: float) -> None:
        """Settle the item, or give it back for a retry."""
        attempts = [*item.attempts, result.record]
        failure = result.failure
        if failure is not None and failure.kind.retryable and len(attempts) <= self._engine.settings.retries:
            delay = max(retry.delay(len(attempts), result.retry_after).total_seconds(), paused)
            if delay < min(self._seconds_left(), _until(self._claim.deadline_at)):
                self._retries.append((item.ord, delay, result.record))
                return
        settled = Settled(
            item.ord,
            ItemState.FAILED if failure else ItemState.COMPLETED,
            attempts,
            failure.code if failure else None,
            failure.detail.replace("\0", "") if failure else None,
            result.http,
            0 if failure else 1,
        )
        self._settling[item.ord] = self._engine.settler.add(self._claim, settled, result.frame)

    def _drop_settled(self) -> None:
        for ord_, settled in self._settling.items():
            if settled.exception() is None and settled.result():
                del self._unsettled[ord_]

    def _seconds_left(self) -> float:
        """Until the deadline of the items of this shard."""
        return _until(self._claim.dispatched_at) + self._engine.settings.item_timeout

    def _rests(self, hosts: list[_Host]) -> list[Rest]:
        """What is not settled: retries by how often they were tried, paused hosts apart, the others at once."""
        rests = self._retry_rests()
        retried = {ord_ for ord_, _, _ in self._retries}
        paused = {task.item.ord: host.paused for host in hosts if host.paused for task in host.todo}
        for delay in sorted(set(paused.values())):
            rests += self._not_begun([o for o, d in paused.items() if d == delay], delay)
        rests += self._not_begun([o for o in self._unsettled if o not in retried and o not in paused], 0.0)
        return rests

    def _retry_rests(self) -> list[Rest]:
        groups: dict[int, list[tuple[int, float, dict[str, Any]]]] = {}
        for ord_, delay, record in self._retries:
            groups.setdefault(len(self._unsettled[ord_].attempts), []).append((ord_, delay, record))
        return [
            Rest(
                [ord_ for ord_, _, _ in group],
                timedelta(seconds=max(delay for _, delay, _ in group)),
                self._claim.dispatched_at,
                {str(ord_): [*self._unsettled[ord_].attempts, record] for ord_, _, record in group},
            )
            for group in groups.values()
        ]

    def _not_begun(self, ords: list[int], delay: float) -> list[Rest]:
        """Items given back without an attempt. Those never begun start their deadline anew, the others keep it."""
        fresh = [ord_ for ord_ in ords if not self._unsettled[ord_].attempts]
        tried = [ord_ for ord_ in ords if self._unsettled[ord_].attempts]
        wait = timedelta(seconds=delay)
        rests = [Rest(fresh, wait)] if fresh else []
        if tried:
            carry = {str(ord_): self._unsettled[ord_].attempts for ord_ in tried}
            rests.append(Rest(tried, wait, self._claim.dispatched_at, carry))
        return rests


def _until(moment: datetime) -> float:
    return (moment - datetime.now(UTC)).total_seconds()


def _failed(code: FailureCode) -> Attempt:
    """An attempt that came to nothing on our side of the network."""
    record = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "code": code}
    return Attempt(record, None, Failure(code, FAILURES[code].meaning))
