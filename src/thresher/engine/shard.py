"""One claimed shard: its items run host by host, each host within its limits, until they are done or the slice is over.

What is finished goes to the settler; what is not comes back as the rests of the shard: items to retry later, items of
hosts that are left alone, items that were redirected to another bucket, and those not begun. Nothing sleeps on a slot.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from thresher.domain import retry, url
from thresher.domain.choices import Choices
from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.way import Way, failures, way
from thresher.engine.endings import failed, left_alone, out_of_time, settled, unread
from thresher.engine.grouping import Chosen, grouped
from thresher.engine.lease import Lease
from thresher.engine.politeness import FILES, NOWHERE, Lane, Manners, Task
from thresher.engine.rests import rests_of
from thresher.engine.shared import Engine
from thresher.pipeline.attempt import Attempt, now
from thresher.pipeline.item import NotNow
from thresher.storage.hosts import SOON, Known
from thresher.storage.inputs import Input
from thresher.storage.pages import Page
from thresher.storage.settling import Settled
from thresher.storage.shards import Claim, Rest, ShardItem

log = logging.getLogger("thresher.shard")

_FROM_STORE = 8  # stored pages that a shard has in hand: enough to keep the converter busy
_FILES = 2  # and files: each may be large
_PATIENCE = (
    2.0  # seconds that a shard waits for a place for its files, if it has none: it keeps others from being claimed
)
_RECOVERY = 5.0  # seconds until items are tried again that a bug of ours kept from being finished


class ShardRun:
    """Runs once. `stop` and `abort` may be called at any time, more than once. `known` is what is known of the bucket's hosts,

    `pages` the stored pages that items may have, `inputs` what there is of files, by the items' positions.
    """

    def __init__(
        self,
        claim: Claim,
        lease: Lease,
        engine: Engine,
        known: Mapping[str, Known],
        pages: Mapping[int, Page],
        inputs: Mapping[int, Input],
    ) -> None:
        self._claim, self._lease, self._engine, self._known = claim, lease, engine, known
        settings = engine.settings
        rate = settings.requests_per_second_per_host
        self._manners = Manners(settings.connections_per_host, 1 / rate if rate else 0.0, settings.max_crawl_delay)
        self._chosen = Chosen(claim)
        self._slice_ends = time.monotonic() + settings.slice_seconds
        self._stopped, self._aborted, self._wake = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._unsettled: dict[int, ShardItem] = {item.ord: item for item in claim.items}
        self._store = Lane.of_store(_FROM_STORE)
        self._files = Lane.of_store(_FILES, FILES)
        self._lanes: dict[str, Lane] = {NOWHERE: self._store, FILES: self._files}
        self._retries: dict[int, float] = {}  # by ord: when, on the monotonic clock
        self._settling: dict[int, asyncio.Future[bool]] = {}
        self._under_way = 0
        self._crowded = False  # it waited for a place for its files in vain
        self._unread = {one.ord: one for one in unread(claim, inputs, settings.document_max_bytes)}
        begun = [item for item in claim.items if item.ord not in self._unread]
        files = {ord_: there.bytes for ord_, there in inputs.items() if there.bytes}
        self._tasks = grouped(begun, self._chosen, pages, files, applied=claim.applied)

    @property
    def origins(self) -> set[str]:
        """Where its requests go, unless redirects lead elsewhere."""
        return {task.way.url.origin for task in self._tasks if task.way}

    def stop(self) -> None:
        """Begin nothing more; what is under way gets `stop_grace`, the rest is given back."""
        self._stopped.set()
        self._wake.set()

    def abort(self) -> None:
        """Break off what is under way as well: the batch was stopped or is past its deadline."""
        self._aborted.set()
        self.stop()

    async def run(self) -> list[Rest]:
        """Work until everything is settled or given back; the return value is what `shards.end` is to be told.

        Everything that it does not return is settled when it returns.
        """
        self._end_unread()
        for task in self._tasks:
            self._lane_of(task).todo.append(task)
        for lane in self._lanes.values():
            self._give_up_if_hopeless(lane)
        expiry = asyncio.get_running_loop().call_later(max(0.0, self._until(self._claim.deadline_at)), self.abort)
        try:
            await self._until_done_or_stopped(asyncio.create_task(self._serve_all()))
        finally:
            expiry.cancel()
        await asyncio.gather(*self._settling.values())
        self._drop_settled()
        now = time.monotonic()
        await self._note([lane for lane in self._lanes.values() if lane.changed or 0 < lane.wait(now) < SOON])
        waits = {lane.host: lane.wait(now) for lane in self._lanes.values()}
        retries = {ord_: max(0.0, due - now) for ord_, due in self._retries.items()}
        return rests_of(self._claim, self._unsettled.values(), retries, waits, behind=self._crowded)

    async def recover(self) -> list[Rest]:
        """After a bug in `run`: everything that is not known to be settled, a little later, with its deadline running."""
        await asyncio.gather(*self._settling.values(), return_exceptions=True)
        self._drop_settled()
        rests = rests_of(self._claim, self._unsettled.values(), dict.fromkeys(self._unsettled, _RECOVERY), {})
        return [replace(rest, dispatched_at=self._claim.dispatched_at) for rest in rests]

    def _end_unread(self) -> None:
        """What needs no reading, or cannot be read."""
        if not self._unread:
            return
        self._engine.settler.begin(self._claim.batch)
        for one in self._unread.values():
            self._end(one)
        self._engine.settler.end(self._claim.batch)

    def _lane_of(self, task: Task) -> Lane:
        stored = task.file is None and (task.page is not None or self._claim.applied)
        return self._store if stored else self._lane(task.host)

    def _lane(self, host: str) -> Lane:
        lane = self._lanes.get(host)
        if lane is None:
            lane = self._lanes[host] = Lane.of(host, self._manners, self._known.get(host), time.monotonic())
        return lane

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

    async def _serve_all(self) -> None:
        """Launch items as their hosts allow, until none is left, or none may begin for a while."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                wait = self._launch(group)
                if not self._under_way and (wait is None or wait > SOON):
                    return
                timer = None if wait is None else asyncio.get_running_loop().call_later(wait, self._wake.set)
                await self._wake.wait()
                if timer is not None:
                    timer.cancel()

    def _launch(self, group: asyncio.TaskGroup) -> float | None:
        """Launch what may be, a host at a time. Returns the seconds until time alone makes more possible, None if it does not."""
        if not self._may_begin():
            return None
        now = time.monotonic()
        lanes = [lane for lane in self._lanes.values() if lane.todo]
        ready = lanes
        while ready := [lane for lane in ready if lane.ready(now)]:
            for lane in ready:
                self._under_way += 1
                group.create_task(self._serve(lane, lane.launch()))
        return min((lane.wait(now) for lane in lanes if lane.todo and lane.free_at > now), default=None)

    def _may_begin(self) -> bool:
        over = self._crowded or self._stopped.is_set() or time.monotonic() >= self._slice_ends
        return not over and self._lease.valid

    async def _serve(self, lane: Lane, task: Task) -> None:
        try:
            async with self._turn(lane) as mine:
                await self._engine.settler.room()
                if mine and self._may_begin() and not lane.wait(time.monotonic()):
                    await self._do(lane, task)
                else:
                    lane.todo.appendleft(task)
        finally:
            lane.leave(task)
            self._under_way -= 1
            self._wake.set()

    @asynccontextmanager
    async def _turn(self, lane: Lane) -> AsyncIterator[bool]:
        """Whether a task of this lane has its turn: always, in the end, but for files."""
        if lane is not self._files:
            async with self._engine.slots:
                yield True
            return
        wait = min(_PATIENCE, self._slice_ends - time.monotonic())
        async with self._engine.places.turn(self._claim, self._stopped, wait) as mine:
            self._crowded = not self._engine.places.has(self._claim)  # others have more use for the slot of this shard
            yield mine

    async def _do(self, lane: Lane, task: Task) -> None:
        batch = self._claim.batch
        self._engine.settler.begin(batch)
        try:
            results = await self._results(lane, task)
            if results is None:  # what is stored will not do
                host = self._lane(task.host)
                host.todo.append(task)
                self._give_up_if_hopeless(host)
                return
            first = results[0]
            if first.failure is not None and first.failure.code is FailureCode.RATE_LIMITED:
                lane.refused(first.retry_after, time.monotonic())
                await self._note([lane])
                self._give_up_if_hopeless(lane)
            elif first.http is not None:
                lane.answered(time.monotonic())
            self._conclude(task, results, lane)
        except NotNow:
            lane.todo.appendleft(task)
        finally:
            self._engine.settler.end(batch)

    def _give_up_if_hopeless(self, lane: Lane) -> None:
        """What a host would keep waiting for longer than an item may take is told so now, instead of in hours."""
        wait = lane.wait(time.monotonic())
        if not lane.strikes or wait <= self._engine.settings.item_timeout:
            return
        result = left_alone(lane.strikes, wait)
        self._engine.settler.begin(self._claim.batch)
        while lane.todo:
            for item in lane.todo.popleft().items:
                self._settle(item, [*item.attempts, result.record], result)
        self._engine.settler.end(self._claim.batch)

    async def _note(self, lanes: Sequence[Lane]) -> None:
        """Tell the cluster. What cannot be told holds here all the same, and is told again when the shard ends."""
        if not lanes:
            return
        now = time.monotonic()
        for lane in lanes:
            lane.changed = False
        try:
            await self._engine.note(self._claim.bucket, [lane.note(now) for lane in lanes])
        except Exception:
            log.exception("what is known of %s is not shared", ", ".join(lane.host for lane in lanes))
            for lane in lanes:
                lane.changed = True

    async def _results(self, lane: Lane, task: Task) -> list[Attempt] | None:
        """How it went, for each item of the task; None if it is to be asked for, as no page is stored that would do."""
        chosen = [self._chosen.by(item) for item in task.items]
        wants: list[Choices] = []
        for choices in chosen:
            if choices not in wants:
                wants.append(choices)
        at = now()
        try:
            if task.way is None or lane is self._store:
                results = await self._from_store(task, wants)
            else:
                results = await self._from_host(lane, task, task.way, wants)
        except NotNow:
            raise
        except asyncio.CancelledError:
            if task.begun:
                self._broken_off(task.items, at)
            raise
        except Exception:  # a bug at this page: it fails by name, and its neighbours go on
            log.exception("item %s/%s", self._claim.batch_public_id, task.items[0].ord)
            results = [failed(FailureCode.INTERNAL, at=at)] * len(wants)
        return None if results is None else [results[wants.index(choices)] for choices in chosen]

    async def _from_store(self, task: Task, wants: Sequence[Choices]) -> list[Attempt] | None:
        """Of an applied batch, and of another shard of the same one, any page will do; of another batch one that is young enough."""
        if task.file is not None:
            return await self._engine.read(task.file, wants)
        results = None
        if task.page is not None:
            old = not self._claim.applied and task.page.batch != self._claim.batch
            results = await self._engine.reuse(task.page, self._claim.options["max_age"] if old else None, wants)
        if results is None and self._claim.applied:
            return [failed(FailureCode.PAGE_GONE)] * len(wants)
        return results

    async def _from_host(self, lane: Lane, task: Task, way: Way, wants: Sequence[Choices]) -> list[Attempt]:
        timeout, left = wants[0].timeout or self._engine.settings.attempt_timeout, self._seconds_left()
        if left <= 0:
            return [failed(FailureCode.DEADLINE)] * len(wants)

        async def may_begin(crawl_delay: float | None) -> bool:
            may = lane.begin(task, crawl_delay, time.monotonic())
            self._wake.set()
            if may and lane.interval >= SOON:  # whoever takes over from a worker that died must not come too early
                await self._note([lane])
            return may

        results = await self._engine.attempt(way, min(timeout, left), wants, may_begin, task.page)
        return [out_of_time(result) for result in results] if left < timeout else results

    def _broken_off(self, items: Iterable[ShardItem], at: str) -> None:
        """The record of an attempt that was cancelled: with the batch, by its deadline, or because the worker leaves."""
        late = self._until(self._claim.deadline_at) <= 0
        code = FailureCode.DEADLINE if late else FailureCode.CANCELLED
        detail = "Broken off: the batch or the worker was stopped."
        record = {"at": at, "code": code, "detail": FAILURES[code].meaning if late else detail}
        for item in items:
            self._unsettled[item.ord] = replace(item, attempts=[*item.attempts, record])

    def _conclude(self, task: Task, results: Sequence[Attempt], lane: Lane) -> None:
        """Settle the items, send them on their way, or give them back for a retry: at one time, so that they stay together."""
        shared = {"shared": len(task.items)} if len(task.items) > 1 else {}
        delays: dict[int, float] = {}
        moved = []
        for item, result in zip(task.items, results, strict=True):
            attempts = [*item.attempts, result.record | shared]
            if result.moved is not None:
                moved.append(replace(item, attempts=attempts))
                continue
            tries = failures(attempts)
            if self._is_retried(result, tries):
                if tries not in delays:
                    delays[tries] = self._retry_delay(result, tries, lane)
                if delays[tries] < min(self._seconds_left(), self._until(self._claim.deadline_at)):
                    self._unsettled[item.ord] = replace(item, attempts=attempts)
                    self._retries[item.ord] = time.monotonic() + delays[tries]
                    continue
            self._settle(item, attempts, result)
        if moved:
            self._move(moved, task.page)

    def _is_retried(self, result: Attempt, tries: int) -> bool:
        return result.failure is not None and result.failure.kind.retryable and tries <= self._engine.settings.retries

    def _retry_delay(self, result: Attempt, tries: int, lane: Lane) -> float:
        """Seconds until the next attempt, after so many that failed."""
        return max(retry.delay(tries, result.retry_after).total_seconds(), lane.wait(time.monotonic()))

    def _settle(self, item: ShardItem, attempts: list[dict[str, Any]], result: Attempt) -> None:
        self._end(settled(item, attempts, result), result.frame)

    def _end(self, one: Settled, frame: bytes | None = None) -> None:
        self._settling[one.ord] = self._engine.settler.add(self._claim, one, frame)

    def _move(self, items: list[ShardItem], page: Page | None) -> None:
        """A redirect led to another host: the items get in line there, or come back as a rest for the host's bucket."""
        self._unsettled |= {item.ord: item for item in items}
        task = Task(items, way(items[0].ref, items[0].attempts), page)
        if url.bucket(task.host) == self._claim.bucket:
            lane = self._lane(task.host)
            lane.todo.appendleft(task)  # at the front, as its deadline is running
            self._give_up_if_hopeless(lane)

    def _drop_settled(self) -> None:
        for ord_, done in self._settling.items():
            if done.exception() is None and done.result():
                del self._unsettled[ord_]

    def _seconds_left(self) -> float:
        """Until the deadline of the items of this shard."""
        return self._until(self._claim.dispatched_at) + self._engine.settings.item_timeout

    def _until(self, moment: datetime) -> float:
        """Seconds until a moment of the database's clock."""
        return (moment + self._claim.skew - datetime.now(UTC)).total_seconds()
