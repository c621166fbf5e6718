"""How long a worker waits for a database or a store that is away for a moment."""

import asyncio
import logging

TRIES = 6  # the waits between them add up to about 6 seconds; what is away longer is met by the shard being tried again

log = logging.getLogger("thresher.worker")


async def wait_or_give_up(attempt: int, error: Exception, what: str) -> None:
    """To be called where `error` was caught: wait before the next try (`attempt` counts from 0), or raise it after the last."""
    if attempt == TRIES - 1:
        raise error
    log.warning("%s waits: %s", what, error or type(error).__name__)
    await asyncio.sleep(0.2 * 2**attempt)
