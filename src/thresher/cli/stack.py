"""The database, the API and the workers as children of this process: started, watched, stopped together.

One way for `thresher serve` and for commands that bring their own server. What the children do is exactly what
`thresher api` and `thresher work` do in a cluster. Nothing here knows of signals: to stop is to cancel.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from thresher.cli.address import base_url, claim_port, ready
from thresher.cli.errors import CommandError
from thresher.cli.preflight import check_fetching
from thresher.cli.runfile import Endpoint
from thresher.cli.setup import announced, prepare_database
from thresher.cli.supervisor import Backoff, ChildSpec, Supervisor, describe
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.embedded import DataDir, EmbeddedError, EmbeddedPostgres

# Beyond the workers' own grace: they settle what ended in it, and close their connections.
SETTLE_SECONDS = 5.0
READY_SECONDS = 60.0
LOG_BYTES = 8 * 2**20

log = logging.getLogger("thresher.stack")


@dataclass(frozen=True, slots=True)
class Running:
    """A started stack. `first_key` is an API key made by this start, to be shown once."""

    endpoint: Endpoint
    first_key: str | None


@asynccontextmanager
async def stack(settings: Settings, *, make_key: bool = True, output: Path | None = None) -> AsyncIterator[Running]:
    """Run everything for as long as the block runs. The API may not answer yet when it begins.

    `make_key`: an operator who has no key yet gets one. `output`: a file below the data dir for what the children
    print. When the block ends or is cancelled, what is under way is finished; to be cancelled once more meanwhile is
    to stop at once, and nothing accepted is lost by it. Raises CommandError and EmbeddedError.
    """
    if sys.platform == "win32":
        raise CommandError("Windows is not supported; the Windows Subsystem for Linux is.")
    check_fetching(settings)
    settings = settings.model_copy(update={"port": claim_port(settings.host, settings.port)})
    parts = AsyncExitStack()
    at_once = asyncio.Event()
    try:
        database_url = await _start_database(parts, settings, at_once)
        await Blobs(settings.packs_url).probe()
        first_key = await prepare_database(database_url, settings.bootstrap_key, make=make_key)
        url = base_url(settings.host, settings.port)
        endpoint = await parts.enter_async_context(announced(settings.data_dir, url, database_url))
        log_file = None if output is None else parts.enter_context(_open_log(output))
        supervisor = Supervisor(children(settings, database_url), settings.stop_grace + SETTLE_SECONDS, log_file)
        parts.push_async_callback(_drain, supervisor, asyncio.create_task(supervisor.run()), at_once)
        yield Running(endpoint, first_key)
    finally:
        await _to_its_end(parts.aclose(), at_once)


@asynccontextmanager
async def embedded_stack(settings: Settings) -> AsyncIterator[Endpoint]:
    """A server for this block alone: on a free port of loopback, ready when the block begins, and silent.

    What its processes print goes to log/thresher.log in the data dir. Otherwise like `stack`; raises DataDirInUse if
    another server runs on the data dir.
    """
    own: dict[str, object] = {"host": "127.0.0.1", "port": 0}
    if "log_level" not in settings.model_fields_set:
        own["log_level"] = "warning"
    output = settings.data_dir / "log" / "thresher.log"
    async with stack(settings.model_copy(update=own), make_key=False, output=output) as running:
        if not await ready(running.endpoint.url, READY_SECONDS):
            raise CommandError(f"the server does not get ready. What its processes said is in {output}")
        yield running.endpoint


def children(settings: Settings, database_url: str) -> list[ChildSpec]:
    """The API and the workers, as the cluster commands, told by their environment what was decided here."""
    env = os.environ | {
        "DATABASE_URL": database_url,
        "THRESHER_DATA_DIR": str(settings.data_dir),
        "THRESHER_HOST": settings.host,
        "THRESHER_PORT": str(settings.port),
        "THRESHER_LOG_LEVEL": settings.log_level,
    }
    command = [sys.executable, "-m", "thresher.cli.main"]
    api = ChildSpec("api", [*command, "api"], env)
    return [api, *(ChildSpec(f"worker-{n}", [*command, "work"], env) for n in range(1, settings.workers + 1))]


async def _start_database(parts: AsyncExitStack, settings: Settings, at_once: asyncio.Event) -> str:
    """Hold the data dir and have a database, to its URL; `parts` will let go of both."""
    if settings.database_url is not None:
        parts.enter_context(DataDir.open(settings.data_dir))
        return settings.database_url
    postgres = EmbeddedPostgres(settings.data_dir, settings.database_os_user)
    parts.push_async_callback(_stop_database, postgres, at_once)
    await postgres.start()
    keeper = asyncio.create_task(_keep(postgres))
    parts.push_async_callback(_end, keeper)
    return postgres.url


async def _keep(postgres: EmbeddedPostgres) -> None:
    """Start the database again whenever it ends. The children reconnect, or die and are started again."""
    backoff = Backoff()
    while True:
        started = time.monotonic()
        code = await postgres.wait()
        while True:
            wait = backoff.after(time.monotonic() - started)
            log.error("PostgreSQL ended (%s); starting it again in %g s", describe(code), wait)
            await asyncio.sleep(wait)
            try:
                await postgres.start()
            except EmbeddedError as error:
                log.error("%s", error)  # noqa: TRY400 - the sentence says it all; a traceback adds nothing
            else:
                break


async def _stop_database(postgres: EmbeddedPostgres, at_once: asyncio.Event) -> None:
    """Stop it, sharply as soon as that is asked for."""
    stopping = asyncio.create_task(postgres.stop(fast=not at_once.is_set()))
    watch = asyncio.create_task(at_once.wait())
    await asyncio.wait({stopping, watch}, return_when=asyncio.FIRST_COMPLETED)
    watch.cancel()
    if at_once.is_set() and postgres.process is not None and postgres.process.returncode is None:
        postgres.process.send_signal(signal.SIGQUIT)
    await stopping


async def _drain(supervisor: Supervisor, running: asyncio.Task[None], at_once: asyncio.Event) -> None:
    supervisor.stop()
    watch = asyncio.create_task(at_once.wait())
    await asyncio.wait({running, watch}, return_when=asyncio.FIRST_COMPLETED)
    watch.cancel()
    if not running.done():
        supervisor.kill()
    await running


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _to_its_end(work: Coroutine[Any, Any, None], at_once: asyncio.Event) -> None:
    """Do the work even if cancelled; a cancellation sets `at_once`, and is raised when the work is done."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            at_once.set()
    task.result()
    if at_once.is_set():
        raise asyncio.CancelledError


def _open_log(path: Path) -> IO[bytes]:
    """The file to append to; a long one is put aside first, over the one before."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
