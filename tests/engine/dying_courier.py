"""A courier with a process of its own, which kills itself at a step of its first delivery: `dying_courier.py URL STEP`."""

import asyncio
import os
import signal
import sys
from typing import Any

import uvloop

from thresher.engine import courier
from thresher.net.post import Poster
from thresher.settings import Settings
from thresher.storage import database, outbox

courier.ROOM = courier.HANDFUL = 1
courier.PAUSE = 0.01
courier.SPARE = 0.5


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, step: str) -> None:
    settings = Settings(webhook_allow=("127.0.0.0/8",), webhook_timeout=1.0)
    pool = await database.open_pool(url, "courier", size=3)
    async with pool, Poster.from_settings(settings) as poster:
        running = courier.Courier(settings, pool, poster)
        if step == "claimed":
            running._attempt = die  # type: ignore[assignment]
        elif step == "posted":
            running._patiently = die  # type: ignore[assignment]
        elif step == "recording":  # the transaction is open, and holds the log already
            outbox._MOVE = outbox._MOVE.replace("UPDATE", "SELECT pg_sleep(0); UPDATE")
            fetchrow = database.Connection.fetchrow

            async def deadly(self: Any, query: str, *arguments: Any) -> Any:
                return die() if "pg_sleep" in query else await fetchrow(self, query, *arguments)

            database.Connection.fetchrow = deadly  # type: ignore[method-assign]
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.leave)
        await running.run()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
