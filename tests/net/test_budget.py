"""One bound for all bodies: random lives of the budget against its laws, and 64 large bodies at once."""

import asyncio
import random

import pytest
from tests.net.kit import MakeFetcher
from tests.origins.raw import Exchange, RawOrigin, reply
from tests.support.memory import forget_peak, peak

from thresher.domain.failure import FailureCode
from thresher.domain.url import parse
from thresher.net.budget import Budget, Lease
from thresher.net.fetch import MIB, FetchFailed


async def test_who_asks_first_is_served_first_and_nobody_passes_him() -> None:
    budget, served = Budget(20, 10), list[str]()
    first, lane = budget.lease(), budget.lease()
    await first.grow(8)
    await lane.grow(3)

    async def ask(name: str, size: int) -> None:
        with budget.lease() as lease:
            await lease.grow(size)
            served.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask("large", 9))
        await asyncio.sleep(0)
        group.create_task(ask("small", 1))  # there would be room for it
        await asyncio.sleep(0)
        assert served == []
        first.shrink(0)
    lane.shrink(0)
    assert served == ["large", "small"]
    assert budget.free == 10


async def test_those_who_hold_some_and_wait_for_more_never_wait_in_a_circle() -> None:
    budget, full = Budget(40, 10), list[int]()

    async def body(number: int) -> None:
        with budget.lease() as lease:
            for size in range(1, 11):
                await lease.grow(size)
                await asyncio.sleep(0)
            full.append(number)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for number in range(30):  # each holds one, and none is left
            group.create_task(body(number))
    assert sorted(full) == list(range(30))
    assert budget.free == 30


async def test_where_there_is_no_room_for_two_they_go_one_after_the_other() -> None:
    budget = Budget(10, 10)
    with budget.lease() as lease:
        await lease.grow(5)
        with budget.lease() as other:
            waiting = asyncio.create_task(other.grow(1))
            await asyncio.sleep(0)
            assert not waiting.done()
            await lease.grow(10)  # who is apart does not wait
            lease.shrink(0)
            await waiting
            assert (lease.held, other.held) == (0, 1)
    assert budget.free == 0


@pytest.mark.parametrize("seed", range(20))
async def test_in_random_lives_the_bound_holds_nobody_starves_and_all_comes_back(seed: int) -> None:
    chance = random.Random(seed)
    budget, leases = Budget(100, 40), set[Lease]()

    async def live() -> None:
        with budget.lease() as lease:
            leases.add(lease)
            try:
                for size in sorted(chance.sample(range(1, 41), chance.randrange(1, 6))):
                    await lease.grow(size)
                    assert lease.held == size
                    assert sum(one.held for one in leases) <= 100
                    assert sum(one.pooled for one in leases) + budget.free == 60
                    assert sum(one.apart > 0 for one in leases) <= 1
                    if chance.random() < 0.3:
                        await asyncio.sleep(0)
                if chance.random() < 0.3:
                    raise ValueError
                lease.shrink(chance.randrange(lease.held + 1))
                await asyncio.sleep(0)
            finally:
                lease.shrink(0)
                leases.discard(lease)

    tasks = [asyncio.create_task(live()) for _ in range(60)]
    while not all(task.done() for task in tasks):
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
        await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert not [result for result in results if isinstance(result, AssertionError)]
    assert (leases, budget.free) == (set(), 60)
    with budget.lease() as lease:  # nobody has stayed in the lane
        await lease.grow(40)
        with budget.lease() as other:
            await other.grow(40)


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
        assert fetcher.lease().budget.free == total - size
    assert sizes == [size] * 64
    # Without the bound it would be 1,280 MiB. Each connection may also have a small part and what is read ahead.
    assert grown < total + 128 * MIB


async def test_large_bodies_that_trickle_leave_room_for_others(make_fetcher: MakeFetcher) -> None:
    trickling = asyncio.Event()
    begun = 0

    async def trickle(exchange: Exchange) -> None:
        nonlocal begun
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 300_000)
        begun += 1
        if begun == 32:
            trickling.set()

    block = b"x" * (4 * MIB)
    async with RawOrigin({"/": trickle, "/good": reply(block)}) as origin:
        fetcher = await make_fetcher(max_body_bytes=20 * MIB, memory_bytes=64 * MIB, limit=64)
        slow = [asyncio.create_task(fetcher.fetch(parse(origin.url()), timeout=60)) for _ in range(32)]
        await trickling.wait()
        assert (await fetcher.fetch(parse(origin.url("/good")), timeout=60)).body == block
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert fetcher.lease().budget.free == 44 * MIB


async def test_a_body_that_waits_for_room_until_the_timeout_says_so(make_fetcher: MakeFetcher) -> None:
    async def half(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 1_000_000)

    async with RawOrigin({"/": half}) as origin:
        fetcher = await make_fetcher(max_body_bytes=2 * MIB, memory_bytes=2 * MIB)
        with fetcher.lease() as other:
            await other.grow(MIB)  # it has the lane, and there is nothing else
            with pytest.raises(FetchFailed) as caught:
                await fetcher.fetch(parse(origin.url()), timeout=0.3)
    assert caught.value.failure.code is FailureCode.TIMEOUT
    assert "waiting for memory" in caught.value.failure.detail
    assert "of 2000000 bytes of the body had arrived" in caught.value.failure.detail
