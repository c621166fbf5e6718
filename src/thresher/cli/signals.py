"""SIGINT and SIGTERM as cancellation: the first asks to stop in good order, each further one to be quick about it."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from thresher.cli import loading

Result = TypeVar("Result")
STOPPING = (signal.SIGTERM, signal.SIGINT)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run the coroutine to its end, from synchronous code. Every signal cancels it once more.

    Raises KeyboardInterrupt if it ended by that.
    """
    loading.ends()
    try:
        return asyncio.run(_listening(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _listening(work: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, task.cancel)
    try:
        return await work
    finally:
        for number in STOPPING:
            loop.remove_signal_handler(number)
