"""The running PostgreSQL: one child process of ours, from start to stop. Knows nothing of what is stored in it."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import asyncpg

from thresher.storage.embedded import binaries, cluster, socketdir
from thresher.storage.embedded.child import ended, ended_within, kill_group, spawn
from thresher.storage.embedded.datadir import DataDir, private_folder
from thresher.storage.embedded.errors import EmbeddedError
from thresher.storage.embedded.orphans import end_orphans

LOG_BYTES = 8 * 2**20
FIRST_ANSWER_SECONDS = 300.0  # replaying 1 GB of WAL on a slow disk takes minutes
RETRY_SECONDS = 30.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.02
# What PostgreSQL says while processes of a crashed predecessor are still ending.
PASSING = ("is still in use", "already exists", "another postmaster")


class EmbeddedPostgres:
    """PostgreSQL 18 in `<data_dir>/postgres`, reachable only by this OS user, over a Unix socket.

    On Linux it shuts down when the thread that called `start` ends. Not for use by two tasks at once.
    """

    def __init__(self, data_dir: Path, os_user: str | None = None) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / "postgres"
        self.log = data_dir / "log" / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._os_user = os_user
        self._hold: DataDir | None = None
        self._reached: Path | None = None

    @property
    def url(self) -> str:
        """The DSN for asyncpg and libpq alike. Raises RuntimeError before `start`."""
        return self._url(cluster.ROLE)

    def _url(self, database: str) -> str:
        if self._reached is None:
            raise RuntimeError("the embedded PostgreSQL has not been started")
        return _dsn(self._reached, database)

    async def start(self) -> None:
        """Return when it accepts connections and the database exists; also the way to restart it after a crash.

        Raises EmbeddedError, with the end of the log if there is something to learn from it; then nothing is left
        running, and the data dir is free.
        """
        try:
            if self._hold is None:
                self._hold = await asyncio.to_thread(DataDir.open, self.data_dir)
            await self._start()
        except BaseException:
            await self.stop(fast=False)
            raise

    async def _start(self) -> None:
        private_folder(self.log.parent)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        user = binaries.choose_user(self._os_user, self.folder)
        programs = await asyncio.to_thread(binaries.find_binaries, user)
        deadline = asyncio.get_running_loop().time() + RETRY_SECONDS
        while True:
            await end_orphans(self.folder)
            await cluster.prepare(self.folder, programs, user, self.log)
            self._reached = socketdir.reach(self.folder)
            start = self._spawn(programs, user)
            if await self._answers():
                return
            said = cluster.tail(self.log, start)
            passing = any(sign in said for sign in PASSING)
            if not passing or asyncio.get_running_loop().time() > deadline:
                raise EmbeddedError(f"PostgreSQL did not start in {self.folder}:\n{said}\nThe whole log is {self.log}")
            await asyncio.sleep(0.1)

    def _spawn(self, programs: Path, user: binaries.OsUser) -> int:
        """Start the process; return the size of the log before it."""
        inside = cluster.seen_from_inside(self.folder)
        sockets = inside if inside != str(self.folder) else str(self._reached)
        quoted = '"' + sockets.replace('"', '""') + '"'
        options = cluster.SETTINGS | {"unix_socket_directories": quoted}
        argv = [str(programs / "postgres"), "-D", inside]
        argv += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as output:
            start = output.tell()
            self.process = spawn(
                argv,
                env=cluster.ENVIRONMENT,
                death_signal=signal.SIGINT,
                cwd=self.folder,
                identity=user.identity,
                output=output,
            )
        return start

    async def _answers(self) -> bool:
        """Wait for the first connection, and make the database if it is missing. False if the process ended instead."""
        assert self.process is not None  # noqa: S101
        deadline = asyncio.get_running_loop().time() + FIRST_ANSWER_SECONDS
        while self.process.poll() is None:
            try:
                await self._ensure_database()
            except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise EmbeddedError(f"PostgreSQL does not answer ({error}). Its log is {self.log}") from error
                await asyncio.sleep(POLL_SECONDS)
            else:
                return True
        return False

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self._url("postgres"), timeout=10)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", cluster.ROLE):
                await connection.execute(f"CREATE DATABASE {cluster.ROLE}")
        finally:
            await connection.close()

    async def wait(self) -> int:
        """Return the exit code, negative for a signal, once the process has ended."""
        if self.process is None:
            raise RuntimeError("the embedded PostgreSQL has not been started")
        await ended(self.process)
        return self.process.wait()

    async def stop(self, fast: bool = True) -> None:
        """End it and let go of the data dir. Safe to call twice.

        `fast` ends open transactions and writes a checkpoint; otherwise it stops at once and recovers at the next start.
        """
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT if fast else signal.SIGQUIT)
            if not await ended_within(self.process, STOP_SECONDS if fast else 5.0):
                self.process.send_signal(signal.SIGQUIT)
                if not await ended_within(self.process, 5.0):
                    kill_group(self.process)
                    self.process.wait()
        self.process = None
        if self._reached is not None:
            socketdir.forget(self._reached, self.folder)
            self._reached = None
        if self._hold is not None:
            self._hold.close()
            self._hold = None


def url_of_running(data_dir: Path) -> str | None:
    """The DSN of the PostgreSQL that another process of this user runs in the data dir, or None if none listens there."""
    folder = data_dir / "postgres"
    return _dsn(socketdir.reach(folder), cluster.ROLE) if (folder / socketdir.NAME).exists() else None


def _dsn(reached: Path, database: str) -> str:
    return f"postgresql://{cluster.ROLE}@/{database}?host={quote(os.fsencode(reached), safe='')}&port=5432"
