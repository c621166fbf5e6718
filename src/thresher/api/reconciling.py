"""The reconciler's clock in this process: repairs and deadlines hold as long as the API lives, workers or none."""

import asyncio
import logging
import random
from datetime import timedelta

import asyncpg

from thresher.settings import Settings
from thresher.storage.database import Pool
from thresher.storage.reconcile import Limits, reconcile

log = logging.getLogger(__name__)


async def keep_reconciling(pool: Pool, settings: Settings) -> None:
    """Reconcile for ever; the caller cancels it. The first round comes soon, because a restart may have lost something."""
    limits = Limits(
        item_timeout=timedelta(seconds=settings.item_timeout),
        stop_grace=timedelta(seconds=settings.stop_grace),
        shard_size=settings.shard_size,
    )
    wait = settings.reconcile_seconds * random.uniform(0.0, 0.1)
    while True:
        await asyncio.sleep(wait)
        await _once(pool, limits)
        # Jittered, so that the processes of a cluster do not all ask for the lock in the same instant.
        wait = settings.reconcile_seconds * random.uniform(0.8, 1.2)


async def _once(pool: Pool, limits: Limits) -> None:
    try:
        async with pool.acquire(timeout=10) as connection:
            report = await reconcile(connection, limits)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log.warning("reconciling failed, to be tried again: %s: %s", type(error).__name__, error)
    except Exception:
        # This loop is what ends batches that nothing else ends: one bad round must not stop it.
        log.exception("reconciling failed, to be tried again")
    else:
        if report is not None and str(report) != "nothing":
            log.info("reconciled: %s", report)
