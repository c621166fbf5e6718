"""Waiting for a batch: asked for again and again until it is done, with its progress shown."""

import asyncio
from collections.abc import AsyncIterator

from thresher.cli.client.progress import Display, Step
from thresher.cli.client.remote import Json, Remote

FIRST_WAIT, LAST_WAIT, GROWTH = 0.05, 1.0, 1.3  # seconds: a small batch is seen to end at once


async def views(remote: Remote, batch_id: str, display: Display) -> AsyncIterator[Json]:
    """The batch as it is now, and again whenever it is looked at, until it is done."""
    wait = FIRST_WAIT
    while True:
        view = await remote.batch(batch_id)
        display.step(step_of(view))
        yield view
        if view["state"] == "done":
            return
        await asyncio.sleep(wait)
        wait = min(wait * GROWTH, LAST_WAIT)


async def until_done(remote: Remote, batch_id: str, display: Display) -> Json:
    """The batch at its end."""
    async for view in views(remote, batch_id, display):
        last = view
    return last


def step_of(view: Json) -> Step:
    """How far the batch is."""
    counts = view["counts"]
    phase = {"open": "Open", "stopping": "Stopping"}.get(view["state"], "Fetching")
    return Step(phase, finished(counts), counts["total"], unsuccessful(counts))


def finished(counts: dict[str, int]) -> int:
    """How many items have an end."""
    return counts["total"] - counts["pending"] - counts["processing"]


def unsuccessful(counts: dict[str, int]) -> int:
    """How many of them have no result and should have one."""
    return counts["failed"] + counts["cancelled"]
