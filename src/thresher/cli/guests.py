"""Which commands use the server of a data dir, so that a command that brought one does not take it from the others.

A file lock that all of them share (flock): the kernel lets go of it however a command ends. Knows nothing of servers.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

NAME = "guests"
POLL_SECONDS = 0.2


class Guests:
    """A place among the commands that use a data dir's server; `close` gives it up."""

    def __init__(self, data_dir: Path) -> None:
        """The folder exists, and is private."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._lock = os.open(data_dir / NAME, flags, 0o600)

    def join(self) -> bool:
        """Be one of them. False while the command that brought the server is taking it down."""
        return self._take(fcntl.LOCK_SH)

    async def others_gone(self, tell: Callable[[str], None]) -> None:
        """Wait until there is no other; from then on nobody joins."""
        if self._take(fcntl.LOCK_EX):
            return
        tell("Another command uses this server: it stops when that one ends. Ctrl-C stops it now.")
        while not self._take(fcntl.LOCK_EX):  # noqa: ASYNC110 - other processes can only be asked
            await asyncio.sleep(POLL_SECONDS)

    def close(self) -> None:
        """To be called once. The file stays: removing it would race with the next command."""
        os.close(self._lock)

    def _take(self, mode: int) -> bool:
        try:
            fcntl.flock(self._lock, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
