"""`thresher serve`: the database, the API and the workers in one command, each a process, watched and stopped together.

It wires; what the children do is exactly what `thresher api` and `thresher work` do in a cluster.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from typing import Any

from thresher.cli.address import base_url, claim_port, listens
from thresher.cli.errors import CommandError
from thresher.cli.runfile import running
from thresher.cli.setup import prepare_database
from thresher.cli.supervisor import Backoff, ChildSpec, Supervisor, describe
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.embedded import DataDir, EmbeddedError, EmbeddedPostgres

# Beyond the workers' own grace: they settle what ended in it, and close their connections.
SETTLE_SECONDS = 5.0
LISTEN_SECONDS = 60.0

log = logging.getLogger("thresher.serve")


class Stop:
    """What the operator's signals ask for: the first one to stop, the second to stop at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()

    def __call__(self) -> None:
        (self.at_once if self.asked.is_set() else self.asked).set()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Have SIGTERM and SIGINT call this."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises CommandError and EmbeddedError for what keeps it from starting."""
    stop = Stop()
    with stop.listening():
        settings = settings.model_copy(update={"port": claim_port(settings.host, settings.port)})
        if settings.database_url is not None:
            with DataDir.open(settings.data_dir):
                await _with_database(settings, settings.database_url, stop)
            return
        postgres = EmbeddedPostgres(settings.data_dir, settings.database_os_user)
        try:
            if await _unless(stop.asked, postgres.start()):
                keeper = asyncio.create_task(_keep(postgres, stop))
                try:
                    await _with_database(settings, postgres.url, stop)
                finally:
                    keeper.cancel()
                    await asyncio.gather(keeper, return_exceptions=True)
        finally:
            await _stop(postgres, stop)


async def _stop(postgres: EmbeddedPostgres, stop: Stop) -> None:
    """Stop it, sharply as soon as the operator asks for that."""
    stopping = asyncio.create_task(postgres.stop(fast=not stop.at_once.is_set()))
    watch = asyncio.create_task(stop.at_once.wait())
    await asyncio.wait({stopping, watch}, return_when=asyncio.FIRST_COMPLETED)
    watch.cancel()
    if stop.at_once.is_set() and postgres.process is not None and postgres.process.returncode is None:
        postgres.process.send_signal(signal.SIGQUIT)
    await stopping


async def _with_database(settings: Settings, database_url: str, stop: Stop) -> None:
    async def prepare() -> None:
        await Blobs(settings.packs_url).probe()
        if (key := await prepare_database(database_url, settings.bootstrap_key)) is not None:
            say(f"Your API key, shown only now: {key}")

    if not await _unless(stop.asked, prepare()):
        return
    supervisor = Supervisor(children(settings, database_url), settings.stop_grace + SETTLE_SECONDS)
    helpers = [
        asyncio.create_task(_forward(stop, supervisor)),
        asyncio.create_task(_announce(settings)),
    ]
    try:
        with running(settings.data_dir, base_url(settings.host, settings.port)):
            await supervisor.run()
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)


async def _unless(asked: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work, but give up when the operator asks to stop. Whether it was done."""
    task = asyncio.create_task(work)
    watch = asyncio.create_task(asked.wait())
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()
        task.cancel()  # of no effect once it is done
        await asyncio.gather(task, watch, return_exceptions=True)
    if not task.cancelled():
        task.result()
    return not task.cancelled()


async def _forward(stop: Stop, supervisor: Supervisor) -> None:
    await stop.asked.wait()
    say("Stopping: what is under way is being finished. Once more to stop at once; nothing accepted is lost.")
    supervisor.stop()
    await stop.at_once.wait()
    supervisor.kill()


async def _keep(postgres: EmbeddedPostgres, stop: Stop) -> None:
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


def children(settings: Settings, database_url: str) -> list[ChildSpec]:
    """The API and the workers, as the cluster commands, told by their environment what `serve` decided."""
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


async def _announce(settings: Settings) -> None:
    if not await listens(settings.host, settings.port, LISTEN_SECONDS):
        log.error("the API does not answer on %s yet; see the messages above", base_url(settings.host, settings.port))
        return
    say(f"Thresher listens on {base_url(settings.host, settings.port)} (documentation: /docs)")
    say(f"Data: {settings.data_dir}   Workers: {settings.workers}   Stop: Ctrl-C, or kill {os.getpid()}")


def say(line: str) -> None:
    """Tell the operator, on standard error."""
    print(line, file=sys.stderr, flush=True)


def run(settings: Settings) -> None:
    """Serve until stopped, from a synchronous caller."""
    if sys.platform == "win32":
        raise CommandError("Windows is not supported; the Windows Subsystem for Linux is.")
    asyncio.run(serve(settings))
