"""Conversions in a child process that may die, hang or swell without harm to anything but the page in hand.

One child per Sandbox, replaced singly. Requests are answered in the order of asking; the next one is handed over
while one is computed, so that the child never waits. Knows nothing of where bodies come from or results go.
"""

import asyncio
import logging
import signal
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from thresher.convert.document import How, Source
from thresher.convert.documents.made import Bounds
from thresher.convert.process import Child, ChildDied, Limits, SpawnFailed
from thresher.domain import plugins
from thresher.domain.failure import FailureCode, ItemFailed

log = logging.getLogger("thresher.convert")

_DEPTH = 2  # requests at the child: the one computed, and the next
_SPAWNS = 3  # tries to start a child before the machine is given up
_TRIES = 2  # a page is given a second child: the first may have died of something else
_SLACK = 2**24  # bytes of an answer besides the body and the document: metadata, at worst a hundred long values


@dataclass(frozen=True, slots=True)
class Converted:
    """`facts`: kind, charset, charset_source, charset_certainty, title, content (as in Document), sizes, the verdict, `digest` (see

    digest.py, in hex), why a parser made nothing of the page (`unparsed`: code and detail), what a declared one matched
    (`matches`), and the milliseconds of each step. `frame`: see frame.py.
    """

    facts: dict[str, Any]
    frame: bytes


@dataclass(eq=False, slots=True)
class _Job:
    source: Source
    meta: dict[str, Any]
    how: How
    done: asyncio.Future[Converted]
    deaths: list[str] = field(default_factory=list)


class Elsewhere(Exception):
    """The child was given a document, and is for pages alone."""


class Sandbox:
    """Converts one page at a time in a child process. Belongs to one event loop.

    `timeout` is in seconds for one page, from the moment the child can begin with it. With `documents` the child converts
    these too, within their bounds.
    """

    def __init__(self, timeout: float, limits: Limits, documents: Bounds | None = None) -> None:
        self._timeout = timeout
        self._limits = limits
        self._documents = documents
        self._child: Child | None = None
        self._runner: asyncio.Task[None] | None = None
        self._queue: deque[_Job] = deque()
        self._sent: deque[_Job] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._plugins = bool(plugins.entries())

    @property
    def pid(self) -> int | None:
        """The process id of the child, if one lives."""
        return self._child.pid if self._child else None

    @property
    def missing(self) -> tuple[str, ...]:
        """What this kernel lacks to confine the child by: "seccomp", "landlock", "memory"."""
        return self._child.missing if self._child else ()

    @property
    def faults(self) -> tuple[str, ...]:
        """Which parsers of packages the child has left out, and why."""
        return self._child.faults if self._child else ()

    async def start(self, *, child: bool = True) -> None:
        """Begin to serve; without `child` one is started for the first page. Raises SpawnFailed where none can be started."""
        if self._runner is not None or self._closed:
            raise RuntimeError("a converter is started once")
        self._child = await self._spawn() if child else None
        self._runner = asyncio.create_task(self._run(), name="converter")

    async def convert(self, source: Source, meta: dict[str, Any], how: How) -> Converted:
        """As `Converter.convert`. Raises Elsewhere besides."""
        if self._closed or self._runner is None or self._runner.done():
            raise RuntimeError("the converter is not running")
        job = _Job(source, meta, how, asyncio.get_running_loop().create_future())
        if self._documents:
            job.done.add_done_callback(lambda _: self._interrupt_if_in_vain())
        self._queue.append(job)
        self._hand_over()
        self._wake.set()
        try:
            return await job.done
        finally:
            # A failure that is raised holds this frame, and is held by the job: a body would stay until it is collected.
            del job

    async def close(self) -> None:
        """End the child and fail what waits. Safe to call twice; no process and no descriptor is left."""
        self._closed = True
        self._wake.set()
        if self._child is not None:
            self._child.interrupt()
        if self._runner is not None:
            # Not cancelled: it ends by itself, and a child that it is just starting is not lost sight of.
            await asyncio.shield(self._runner)

    async def _run(self) -> None:
        try:
            while not self._closed:
                self._hand_over()
                if self._sent and self._child is not None:
                    await self._await_answer(self._child)
                elif self._queue:
                    await self._new_child()
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            await self._take_back()
            for job in self._queue:
                _fail(job, RuntimeError("the converter was closed"))
            self._queue.clear()

    def _hand_over(self) -> None:
        """Write to the child what it may have. Cancelled jobs are left out; ones already written are answered to nobody."""
        if self._child is None or (not self._sent and self._child.gone):
            return  # a child that died with nothing in hand costs no item a try
        while self._queue and len(self._sent) < _DEPTH:
            job = self._queue.popleft()
            if job.done.done():
                continue
            header = {
                "url": job.source.url,
                "content_type": job.source.content_type,
                "content_encoding": job.source.content_encoding,
                "requested": job.source.requested,
                "name": job.source.name,
                "how": job.how,
                "meta": job.meta,
            }
            try:
                self._child.send(header, job.source.body)
            except Exception as error:  # what cannot be said on the wire harms nobody else
                _fail(job, error)
            else:
                self._sent.append(job)

    def _interrupt_if_in_vain(self) -> None:
        """Nobody waits for what the child computes any more: of a document it may do that for minutes, and others wait."""
        if self._documents and self._child is not None and self._sent and self._sent[0].done.cancelled():
            self._child.interrupt()

    async def _await_answer(self, child: Child) -> None:
        """Settle the job that the child computes."""
        job = self._sent[0]
        self._interrupt_if_in_vain()
        asked = job.how.document.timeout if job.how.document else None
        timeout = min(self._timeout, asked or self._timeout)
        try:
            async with asyncio.timeout(timeout):
                most = len(job.source.body) + self._limits.max_output_bytes + _SLACK
                header, frame = await child.receive(most)
                last = header.pop("last", False)
                outcome = _outcome(header, frame)
        except TimeoutError:
            _fail(job, ItemFailed(FailureCode.CONVERSION_LIMIT, f"time: not done after {timeout:g} s"))
            await self._take_back()
        except ChildDied as death:
            self._count_death(job, death)
            await self._take_back()
        else:
            self._sent.popleft()
            _settle(job, outcome)
            if last:
                await self._take_back()

    def _count_death(self, job: _Job, death: ChildDied) -> None:
        """The processor's time is up once and for all; of anything else the page must have been the cause twice."""
        if death.signal == signal.SIGPROF:
            detail = f"cpu: not done after {self._limits.cpu_seconds:g} s of processor time"
            _fail(job, ItemFailed(FailureCode.CONVERSION_LIMIT, detail))
        job.deaths.append(str(death))
        if len(job.deaths) >= _TRIES:
            detail = f"the converter died twice of this page: {', then '.join(job.deaths)}"
            _fail(job, ItemFailed(FailureCode.CONVERSION_FAILED, detail))

    async def _take_back(self) -> None:
        """Give up the child; what it had waits for the next one at the head of the queue (settled jobs are skipped)."""
        self._queue.extendleft(reversed(self._sent))
        self._sent.clear()
        await self._drop_child()

    async def _new_child(self) -> None:
        await self._drop_child()
        for attempt in range(1, _SPAWNS + 1):
            try:
                self._child = await self._spawn()
            except SpawnFailed as error:
                if attempt < _SPAWNS and not self._closed:
                    continue  # something killed it while it started; that need not happen twice
                for job in self._queue:
                    _fail(job, SpawnFailed(str(error)))
                self._queue.clear()
            return

    async def _spawn(self) -> Child:
        """Raises SpawnFailed. Where packages with parsers keep a child from starting, it and all later ones go without."""
        if not self._plugins:
            return await Child.spawn(self._limits, documents=self._documents)
        try:
            return await Child.spawn(self._limits, plugins=True, documents=self._documents)
        except SpawnFailed as error:
            child = await Child.spawn(self._limits, documents=self._documents)
            self._plugins, child.faults = False, (f"all of them: {error}",)
            log.error("the parsers of packages are left out: %s", error)  # noqa: TRY400 - the reason is in the message
            return child

    async def _drop_child(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            await child.kill()


def _outcome(header: dict[str, Any], frame: bytes) -> Converted | ItemFailed | Elsewhere:
    """What an answer says. Raises ChildDied if it is none: what a page has got hold of may say anything."""
    try:
        if header.pop("ok"):
            return Converted(header, frame)
        if header.get("elsewhere") is True:
            return Elsewhere()
        return ItemFailed(FailureCode(header["code"]), str(header["detail"]))
    except (KeyError, ValueError):
        raise ChildDied("a garbled answer") from None


def _settle(job: _Job, outcome: Converted | ItemFailed | Elsewhere) -> None:
    if isinstance(outcome, Exception):
        _fail(job, outcome)
    elif not job.done.done():
        job.done.set_result(outcome)


def _fail(job: _Job, error: Exception) -> None:
    if not job.done.done():
        job.done.set_exception(error)
