"""Child processes that do not outlive this one, and waiting for their end without a thread per child.

Not `asyncio.subprocess`: its processes belong to one event loop; these can be waited for on any.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from thresher.storage.embedded import pdeath

POLL_SECONDS = 0.05


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    death_signal: signal.Signals,
    cwd: Path | None = None,
    identity: tuple[int, int] | None = None,
    output: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` (the program as an absolute path) in a session of its own, so that Ctrl-C reaches only the parent.

    On Linux it gets `death_signal` when the thread that called this ends, however that happens; elsewhere it does not.
    `identity` is the (uid, gid) to become, without supplementary groups. `cwd` is entered before that, so it may lie
    where the other user could not reach it. `output` receives standard output and error.
    """
    who = "-" if identity is None else f"{identity[0]}:{identity[1]}"
    wrapper = [sys.executable, "-I", "-S", pdeath.__file__, str(os.getpid()), str(int(death_signal)), who]
    # Where the interpreter finds itself: the wrapper needs it even if the program is to have a bare environment.
    libraries = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - arguments are a list; the programs are our own
        [*wrapper, *argv],
        env=libraries | dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


async def ended(process: subprocess.Popen[bytes]) -> None:
    """Return when the process has ended. It is not reaped, so its pid and process group are still its own."""
    while process.returncode is None:
        try:
            descriptor = os.pidfd_open(process.pid)
        except AttributeError:  # not Linux
            if process.poll() is None:
                await asyncio.sleep(POLL_SECONDS)
            continue
        except ProcessLookupError:  # reaped by another waiter
            process.poll()
            return
        try:
            await _readable(descriptor)
        finally:
            os.close(descriptor)
        return


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(descriptor)


async def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the process ends within that time; if so it is reaped and `returncode` is set."""
    try:
        async with asyncio.timeout(seconds):
            await ended(process)
    except TimeoutError:
        return False
    process.wait()
    return True


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the process and all that it started in its session. Call before the process is reaped, or not at all."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
