"""Waiting for a place among a few: for so long, until one is told to stop, and not behind all of a larger batch."""

import asyncio
from types import SimpleNamespace
from typing import cast

from thresher.engine.turn import Places
from thresher.storage.shards import Claim


def shard(number: int, batch: int) -> Claim:
    return cast(Claim, SimpleNamespace(shard=number, batch=batch))


ONE, OTHER = shard(1, 1), shard(2, 2)


async def test_who_waits_has_a_place_or_gives_up_and_every_place_comes_back() -> None:
    places, stopped = Places(1), asyncio.Event()
    async with places.turn(ONE, stopped, 60) as mine:
        assert (mine, places.free, places.has(ONE), places.has(OTHER)) == (True, 0, True, False)
        async with places.turn(OTHER, stopped, 0) as mine:
            assert (mine, places.has(OTHER)) == (False, False)
        waiting = asyncio.create_task(take(places, OTHER, []))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        asyncio.get_running_loop().call_soon(stopped.set)
        async with places.turn(OTHER, stopped, 60) as mine:
            assert not mine
    assert (places.free, places.has(ONE)) == (1, False)
    async with places.turn(OTHER, asyncio.Event(), 0) as mine:
        assert mine, "one that is free is had at once"


async def test_batches_have_their_turns_however_many_shards_of_each_wait() -> None:
    places, order = Places(1), list[int]()
    async with places.turn(ONE, asyncio.Event(), 60):
        claims = [*(shard(n, 1) for n in range(10, 14)), *(shard(n, 2) for n in range(20, 22))]
        tasks = [asyncio.create_task(take(places, claim, order)) for claim in claims]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == [10, 20, 11, 21, 12, 13]
    assert places.free == 1


async def take(places: Places, claim: Claim, order: list[int]) -> None:
    async with places.turn(claim, asyncio.Event(), 60) as mine:
        assert mine
        order.append(claim.shard)
