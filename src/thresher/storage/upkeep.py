"""The clocks in every process that serves or works: deadlines, reconciling and purging, each on its own.

A store that hangs, or a purge of millions, holds up no deadline. Which process of the cluster does
a chore, and what is done, is for the modules that do it.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import PASSING, Connection, Pool
from thresher.storage.purge import purge
from thresher.storage.reconcile import Limits, end_batches, reconcile

Chore = Callable[[Connection], Awaitable[object]]  # one round: a report that reads as words, None if another is at it

DEADLINES = 4.0  # seconds between two looks at what is past its deadline: a caller that set one is waiting for it

log = logging.getLogger("thresher.upkeep")


async def keep_up(pool: Pool, blobs: Blobs, settings: Settings) -> None:
    """Do the chores for ever; the caller cancels it."""
    limits, retention = Limits.of(settings), timedelta(seconds=settings.retention)
    often = min(DEADLINES, settings.reconcile_seconds)
    await asyncio.gather(
        _repeat("ending", lambda connection: end_batches(connection, limits), pool, often),
        _repeat("reconciling", lambda connection: reconcile(connection, limits), pool, settings.reconcile_seconds),
        _repeat("purging", lambda connection: purge(connection, blobs, retention), pool, settings.reconcile_seconds),
    )


async def _repeat(name: str, chore: Chore, pool: Pool, seconds: float) -> None:
    # The first round comes soon, because a restart may have lost something.
    wait = seconds * random.uniform(0.0, 0.1)
    while True:
        await asyncio.sleep(wait)
        await _once(name, chore, pool)
        # Jittered, so that the processes of a cluster do not all ask for the lock in the same instant.
        wait = seconds * random.uniform(0.8, 1.2)


async def _once(name: str, chore: Chore, pool: Pool) -> None:
    try:
        async with pool.acquire(timeout=10) as connection:
            report = await chore(connection)
    except PASSING as error:
        log.warning("%s failed, to be tried again: %s: %s", name, type(error).__name__, error)
    except Exception:
        # This is what ends batches that nothing else ends: one bad round must not stop it.
        log.exception("%s failed, to be tried again", name)
    else:
        if report is not None and str(report) != "nothing":
            log.info("%s: %s", name, report)
