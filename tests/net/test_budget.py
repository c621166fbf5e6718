"""One bound for all bodies: random lives of the budget against its laws, and 64 large bodies at once."""

import asyncio
import random

import pytest
from tests.net.kit import MakeFetcher
from tests.origins.raw import Exchange, RawOrigin
from tests.support.memory import forget_peak, peak

from thresher.domain.failure import FailureCode
from thresher.domain.url import parse
from thresher.net.budget import Budget
from thresher.net.fetch import MIB, FetchFailed


async def test_who_asks_first_is_served_first_and_nobody_passes_him() -> None:
    budget, served = Budget(10), list[str]()
    first = budget.lease()
    await first.take(8)

    async def ask(name: str, size: int) -> None:
        with budget.lease() as lease:
            await lease.take(size)
            served.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask("large", 9))
        await asyncio.sleep(0)
        group.create_task(ask("small", 1))  # there would be room for it
        await asyncio.sleep(0)
        assert served == []
        first.shrink(0)
    assert served == ["large", "small"]
    assert budget.free == 10


async def test_more_than_there_is_waits_until_it_is_alone() -> None:
    budget = Budget(10)
    with budget.lease() as lease:
        await lease.take(10**9)
        assert (lease.held, budget.free) == (10, 0)
    assert budget.free == 10


async def test_one_who_holds_must_not_wait_for_more() -> None:
    with Budget(10).lease() as lease:
        await lease.take(1)
        with pytest.raises(RuntimeError, match="once"):
            await lease.take(1)


@pytest.mark.parametrize("seed", range(20))
async def test_in_random_lives_the_bound_holds_nobody_starves_and_all_comes_back(seed: int) -> None:
    chance = random.Random(seed)
    budget, held = Budget(100), 0

    async def live() -> None:
        nonlocal held
        size = chance.choice((1, 10, 60, 100, 1000))
        with budget.lease() as lease:
            await lease.take(size)
            held += lease.held
            try:
                assert held + budget.free <= 100
                assert budget.free >= 0
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                if chance.random() < 0.3:
                    raise ValueError
            finally:
                held -= lease.held

    tasks = [asyncio.create_task(live()) for _ in range(60)]
    while not all(task.done() for task in tasks):
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (held, budget.free) == (0, 100)


async def test_sixty_four_large_bodies_at_once_stay_under_the_bound_and_all_end(make_fetcher: MakeFetcher) -> None:
    size, total, block = 20 * MIB, 80 * MIB, b"x" * 65_536

    async def large(exchange: Exchange) -> None:
        length = b"Content-Length: %d\r\n" % size if exchange.path == "/length" else b"Connection: close\r\n"
        await exchange.send(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        for _ in range(size // len(block)):
            await exchange.send(block)
        if exchange.path != "/length":
            exchange.close()

    async with RawOrigin({"/length": large, "/end": large}) as origin:
        fetcher = await make_fetcher(max_body_bytes=size, memory_bytes=total, limit=64)

        async def one(path: str) -> int:
            with fetcher.lease() as lease:
                fetched = await fetcher.fetch(parse(origin.url(path)), timeout=60, lease=lease)
                await asyncio.sleep(0)  # as if it were converted
                return len(fetched.body)

        before = forget_peak()
        sizes = await asyncio.gather(*(one(path) for path in ("/length", "/end") * 32))
        grown = peak() - before
        assert fetcher.lease().budget.free == total
    assert sizes == [size] * 64
    # Without the bound it would be 1,280 MiB. Each connection may also have a small part and what is read ahead.
    assert grown < total + 128 * MIB


async def test_a_body_that_waits_for_room_until_the_timeout_says_so(make_fetcher: MakeFetcher) -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 1_000_000)

    async with RawOrigin({"/": half}) as origin:
        fetcher = await make_fetcher(max_body_bytes=2 * MIB, memory_bytes=2 * MIB)
        with fetcher.lease() as other:
            await other.take(MIB)
            with pytest.raises(FetchFailed) as caught:
                await fetcher.fetch(parse(origin.url()), timeout=0.3)
        assert fetcher.lease().budget.free == 2 * MIB
    assert caught.value.failure.code is FailureCode.TIMEOUT
    assert "waiting for memory" in caught.value.failure.detail
    assert "of 2000000 bytes of the body had arrived" in caught.value.failure.detail
