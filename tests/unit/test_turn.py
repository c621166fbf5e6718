"""Waiting for a place: had, or given up, and never both."""

import asyncio

from thresher.engine.turn import turn


async def test_who_gives_up_has_no_place_and_leaves_as_many_as_there_were() -> None:
    places, stopped = asyncio.Semaphore(1), asyncio.Event()
    async with turn(places, stopped, 60) as given_up:
        assert (given_up, places.locked()) == (False, True)
        async with turn(places, stopped, 0) as given_up:
            assert given_up
        asyncio.get_running_loop().call_soon(stopped.set)
        async with turn(places, stopped, 60) as given_up:
            assert given_up
    assert not places.locked()
    async with turn(places, asyncio.Event(), 60) as given_up:
        assert (given_up, places.locked()) == (False, True)
