"""One converter child as seen from its parent: spawned, spoken to, and ended for certain.

Knows the wire and the process, nothing of queues, retries or items.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from dataclasses import astuple, dataclass
from typing import Any

import orjson

from thresher.convert import wire
from thresher.convert.documents.made import Bounds

_READY_SECONDS = 60.0  # importing takes 0.2 s; a machine under heavy load may take long
_EXIT_SECONDS = 5.0  # for a child that has closed its end
_BUFFER = 2**20  # bytes of an answer that are read ahead
_MAX_HEADER = 2**20  # bytes; it has a title and a few numbers
PROGRAM: tuple[str, ...] = ("-P", "-m", "thresher.convert.child")
# What a child needs to start. The rest of the environment holds the database's password and other people's keys.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")


class ChildDied(Exception):
    """The child ended in the middle, or said what no child says; the message says which. `signal`: what killed it."""

    def __init__(self, message: str, signal: int | None = None) -> None:
        super().__init__(message)
        self.signal = signal


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one child: processor seconds for a page, bytes beyond its start, of a decoded body, of what is made of it."""

    cpu_seconds: float
    memory_bytes: int
    max_decoded_bytes: int
    max_output_bytes: int


def _json(bounds: Bounds) -> str:
    return orjson.dumps(bounds).decode()


class SpawnFailed(RuntimeError):
    """No converter child can be started on this machine; the message says why."""


class Child:
    """A running child. Made by `spawn`; `kill` must be awaited once, whatever happened."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.missing: tuple[str, ...] = ()  # what it cannot be confined by, on this kernel
        self.faults: tuple[str, ...] = ()  # which parsers of packages it has left out, and why

    @classmethod
    async def spawn(cls, limits: Limits, *, plugins: bool = False, documents: Bounds | None = None) -> "Child":
        """Start a child, if asked with the parsers of packages, or for documents, and wait until it serves. Raises SpawnFailed."""
        extras = (["plugins"] if plugins else []) + ([f"documents={_json(documents)}"] if documents else [])
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    *PROGRAM,
                    str(os.getpid()),
                    *map(str, astuple(limits)),
                    *extras,
                ),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            )
            reader, writer = await asyncio.open_connection(sock=ours, limit=_BUFFER)
        except OSError as error:
            ours.close()
            raise SpawnFailed(f"the converter cannot be started: {error}") from error
        finally:
            theirs.close()
        child = cls(process, reader, writer)
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await child._greeted()
        except (ChildDied, TimeoutError) as error:
            await child.kill()
            raise SpawnFailed(f"the converter did not start: {error or 'no answer'}") from error
        except BaseException:
            await child.kill()
            raise
        return child

    async def _greeted(self) -> None:
        header, _ = await self.receive(0)
        if not header.get("ready"):
            raise ChildDied(str(header.get("reason")))
        self.missing, self.faults = tuple(header.get("missing", ())), tuple(header.get("faults", ()))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def gone(self) -> bool:
        """Whether it is known to have ended."""
        return self._process.returncode is not None or self._reader.at_eof()

    def send(self, header: dict[str, Any], body: bytes) -> None:
        """Hand a request to the child; never blocks. What the socket does not take waits in this process."""
        for buffer in wire.pack(header, body):
            self._writer.write(buffer)

    async def receive(self, most: int) -> tuple[dict[str, Any], bytes]:
        """The next answer, with a body of at most so many bytes. Raises ChildDied."""
        try:
            head, body = wire.PREFIX.unpack(await self._reader.readexactly(wire.PREFIX.size))
            if head > _MAX_HEADER or body > most:
                raise ChildDied("an answer longer than any it may give")
            header = orjson.loads(await self._reader.readexactly(head))
            if not isinstance(header, dict):
                raise ChildDied("a garbled answer")
            return header, await self._reader.readexactly(body)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._death() from None
        except ValueError:
            raise ChildDied("a garbled answer") from None

    def interrupt(self) -> None:
        """Have it die at once; whoever waits for its answer sees that."""
        # Not by asyncio's kill(): see `_exit`.
        with contextlib.suppress(ProcessLookupError):
            if self._process.returncode is None:
                os.kill(self._process.pid, signal.SIGKILL)

    async def kill(self) -> None:
        """End it now and reap it; no process and no descriptor is left."""
        self._writer.close()
        if not self.gone:
            self.interrupt()
        await self._exit()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _death(self) -> ChildDied:
        status = await self._exit()
        if status >= 0:
            return ChildDied(f"exit status {status}")
        with contextlib.suppress(ValueError):
            return ChildDied(f"signal {-status} ({signal.Signals(-status).name})", -status)
        return ChildDied(f"signal {-status}", -status)

    async def _exit(self) -> int:
        """The exit status of a child that is about to end, or else is made to.

        Not killed at once: asyncio's kill() looks whether the process has ended, and so takes the status away from
        the watcher that waits for it (Python 3.11).
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                return await self._process.wait()
        self.interrupt()
        return await self._process.wait()
