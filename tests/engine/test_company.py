"""Who runs beside whom in a worker."""

import asyncio

from thresher.engine.company import Company


async def test_who_must_be_alone_waits_for_the_others_and_keeps_new_ones_waiting() -> None:
    company, order = Company(), []
    release = asyncio.Event()

    async def one(name: str, *, alone: bool = False) -> None:
        async with company.join(alone=alone):
            order.append(f"{name} begins")
            await release.wait()
            order.append(f"{name} ends")

    first = [asyncio.create_task(one(name)) for name in ("a", "b")]
    while len(order) < 2:
        await asyncio.sleep(0)
    alone = [asyncio.create_task(one(name, alone=True)) for name in ("suspect", "another")]
    late = asyncio.create_task(one("late"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert order == ["a begins", "b begins"]
    release.set()
    await asyncio.gather(*first, *alone, late)
    assert order[2:4] == ["a ends", "b ends"]
    assert order[4:8] == ["suspect begins", "suspect ends", "another begins", "another ends"]
    assert order[8:] == ["late begins", "late ends"]


async def test_a_suspect_that_gives_up_waiting_lets_the_others_in() -> None:
    company = Company()
    async with company.join(alone=False):
        waiting = asyncio.create_task(company.join(alone=True).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5), company.join(alone=False):
            pass
