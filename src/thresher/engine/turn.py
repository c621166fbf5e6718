"""Waiting for a place among a few, but not for ever: a claimed shard has better things to do than to stand in line."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def turn(places: asyncio.Semaphore, stopped: asyncio.Event, seconds: float) -> AsyncIterator[bool]:
    """Have one of the places; or none, if there was none for so many seconds, or until `stopped` is set. True if it was given up."""
    mine, stop = asyncio.ensure_future(places.acquire()), asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({mine, stop}, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        if not mine.done():
            mine.cancel()
        yield not mine.done()
    finally:
        stop.cancel()
        if mine.done() and not mine.cancelled():
            places.release()
        else:
            mine.cancel()
