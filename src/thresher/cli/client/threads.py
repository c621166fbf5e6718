"""Reading and writing that may block for ever (a pipe, a terminal), off the loop and without holding up the exit."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """The result of `work`, done in a thread. Whoever is cancelled leaves it behind: the process ends without it.

    That is why it is no `asyncio.to_thread`, whose threads are waited for at the end.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            value = work()
        except BaseException as error:
            _tell(loop, result, error=error)
        else:
            _tell(loop, result, value=[value])

    threading.Thread(target=run, daemon=True).start()
    return await result


def _tell(
    loop: asyncio.AbstractEventLoop,
    result: "asyncio.Future[T]",
    *,
    value: list[T] | None = None,
    error: BaseException | None = None,
) -> None:
    def settle() -> None:
        if result.done():
            return
        if value is not None:
            result.set_result(value[0])
        elif error is not None:
            result.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the loop is over, nobody waits
        loop.call_soon_threadsafe(settle)
