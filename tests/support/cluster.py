"""Worker processes on a test's database, as a cluster runs them: `thresher work`, started, killed and stopped."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from thresher.domain import url
from thresher.storage import batches
from thresher.storage.batches import Batch
from thresher.storage.database import Connection, Pool
from thresher.storage.submit import NewBatch, NewItem, create

WORK = ("-m", "thresher.cli.main", "work")


class Cluster:
    """`async with Cluster(url, data_dir, environment) as cluster`; leaves no process."""

    def __init__(self, database_url: str, data_dir: Path, environment: dict[str, str]) -> None:
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("THRESHER_")},
            "DATABASE_URL": database_url,
            "THRESHER_DATA_DIR": str(data_dir),
            "THRESHER_RECONCILE_SECONDS": "0.5",
            **environment,
        }
        self.processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def start(
        self, workers: int = 1, command: Sequence[str] = WORK, log: IO[bytes] | None = None, **environment: str
    ) -> None:
        """Start so many workers. What they log goes to `log`, if there is one."""
        for _ in range(workers):
            env = {**self._env, **environment}
            self.processes.append(await asyncio.create_subprocess_exec(sys.executable, *command, env=env, stderr=log))


def new_items(urls: Sequence[str], position: int = 0) -> list[NewItem]:
    """Items of these URLs, from a position of the batch on."""
    return [NewItem(ref, url.bucket(url.parse(ref).host), f"c{n}") for n, ref in enumerate(urls, position)]


async def submit(
    pool: Pool,
    urls: Sequence[str],
    *,
    lifetime: float = 600,
    shard_size: int = 100,
    account: int | None = None,
    stays_open: bool = False,
    options: dict[str, Any] | None = None,
    webhook: str | None = None,
) -> Batch:
    """Create a batch as the API does."""
    async with pool.acquire() as connection:
        if account is None:
            account = await ensure_account(connection)
        items, options = new_items(urls), options or {}
        new = NewBatch(account, "olostep", items, lifetime, shard_size, options, {}, webhook, open=stays_open)
        return await create(connection, new)


async def ensure_account(connection: Connection) -> int:
    found = await connection.fetchval("SELECT min(id) FROM account")
    return int(found or await connection.fetchval("INSERT INTO account (name) VALUES ('test') RETURNING id"))


async def until(pool: Pool, batch: Batch, ready: Callable[[Batch], bool], seconds: float = 60) -> Batch:
    """Read the batch until it is `ready`; fails with what it last was."""
    async with asyncio.timeout(seconds):
        while True:
            async with pool.acquire() as connection:
                now = await batches.get(connection, batch.account_id, batch.public_id)
            assert now is not None
            if ready(now):
                return now
            await asyncio.sleep(0.02)


async def until_done(pool: Pool, batch: Batch, seconds: float = 60) -> Batch:
    return await until(pool, batch, lambda now: now.state == "done", seconds)
