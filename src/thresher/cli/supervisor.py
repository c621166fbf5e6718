"""Keeps child processes running: restarts those that end, drains them when told to stop, leaves none behind.

Knows nothing of what they do. What a child starts belongs to its session, and ends with it.
"""

import asyncio
import logging
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from thresher.storage.embedded.child import ended, kill_group, spawn

FIRST_BACKOFF, LAST_BACKOFF = 0.2, 5.0
STEADY_SECONDS = 30.0

log = logging.getLogger("thresher.supervisor")


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child to keep: `argv` begins with an absolute path, `env` is its whole environment."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM


class Backoff:
    """How long to wait before the next restart, in seconds: doubling, and from the start after a steady run."""

    def __init__(self) -> None:
        self._next = FIRST_BACKOFF

    def after(self, lived: float) -> float:
        """The wait after a run that lived so many seconds."""
        if lived >= STEADY_SECONDS:
            self._next = FIRST_BACKOFF
        wait, self._next = self._next, min(self._next * 2, LAST_BACKOFF)
        return wait


class Supervisor:
    """Runs the children from `run()` until `stop()` or `kill()`, which may be called at any time, from signal handlers."""

    def __init__(self, specs: Sequence[ChildSpec], grace: float, output: IO[bytes] | None = None) -> None:
        """`grace`: seconds that children have to end after their stop signal, before they are killed.

        `output` receives what they print; without it that goes where our own output goes.
        """
        self._specs = specs
        self._grace = grace
        self._output = output
        self._stopping = asyncio.Event()
        self._running: dict[str, tuple[ChildSpec, subprocess.Popen[bytes]]] = {}

    def pids(self) -> dict[str, int]:
        """The children that are running now."""
        return {name: process.pid for name, (_, process) in self._running.items()}

    def stop(self) -> None:
        """Begin the drain: every child gets its stop signal and none is restarted."""
        self._stopping.set()

    def kill(self) -> None:
        """End the children at once."""
        self._stopping.set()
        for _, process in self._running.values():
            kill_group(process)

    async def run(self) -> None:
        """Return when every child has ended after `stop()`; when cancelled, kill them first."""
        keepers = [asyncio.create_task(self._keep(spec)) for spec in self._specs]
        try:
            await self._stopping.wait()
            self._signal_all()
            _, late = await asyncio.wait(keepers, timeout=self._grace) if keepers else (set(), set())
            if late:
                log.warning("killing what did not stop in %g s: %s", self._grace, ", ".join(self._running))
            self.kill()
            await asyncio.gather(*keepers)
        finally:
            self.kill()
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    def _signal_all(self) -> None:
        for spec, process in self._running.values():
            if process.returncode is None:
                process.send_signal(spec.stop_signal)

    async def _keep(self, spec: ChildSpec) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once(spec)
            if self._stopping.is_set():
                return
            wait = backoff.after(time.monotonic() - started)
            log.warning("%s ended (%s); starting it again in %g s", spec.name, describe(code), wait)
            await self._pause(wait)

    async def _run_once(self, spec: ChildSpec) -> int:
        # SIGKILL at our death: a drain needs the database, which goes down with us; a killed child loses nothing.
        process = spawn(spec.argv, env=spec.env, death_signal=signal.SIGKILL, output=self._output)
        self._running[spec.name] = (spec, process)
        try:
            await ended(process)
        finally:
            # What the child had started must not outlive it. It is not reaped yet, so the group is still its own.
            kill_group(process)
            process.wait()
            del self._running[spec.name]
        return process.returncode

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def describe(code: int) -> str:
    """An exit code in words: `exit code 3`, or `SIGSEGV` for a negative one."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
