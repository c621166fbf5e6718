"""`thresher serve`: everything in one command, until it is told to stop. It tells the operator what there is to know."""

import asyncio
import contextlib
import logging
import os
import sys

from thresher.cli import signals
from thresher.cli.address import ready
from thresher.cli.stack import READY_SECONDS, stack
from thresher.settings import Settings

log = logging.getLogger("thresher.serve")


async def serve(settings: Settings) -> None:
    """Run until cancelled. Raises CommandError and EmbeddedError for what keeps it from starting."""
    async with stack(settings) as running:
        if running.first_key is not None:
            say(f"Your API key, shown only now: {running.first_key}")
        try:
            await _announce(settings, running.endpoint.url)
            await asyncio.Event().wait()
        finally:
            say("Stopping: what is under way is being finished. Once more to stop at once; nothing accepted is lost.")


async def _announce(settings: Settings, url: str) -> None:
    if not await ready(url, READY_SECONDS):
        log.error("the API on %s is not ready yet; see the messages above", url)
        return
    say(f"Thresher listens on {url} (documentation: /docs)")
    say(f"Data: {settings.data_dir}   Workers: {settings.workers}   Stop: Ctrl-C, or kill {os.getpid()}")


def say(line: str) -> None:
    """Tell the operator, on standard error."""
    print(line, file=sys.stderr, flush=True)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, from a synchronous caller. The first drains, the second stops at once."""
    with contextlib.suppress(KeyboardInterrupt):
        signals.run(serve(settings))
