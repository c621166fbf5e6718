"""The system's resolver: name servers that do not answer delay nobody else's names."""

import asyncio
import socket
import threading
from typing import Any

import pytest
from tests.net.kit import MakeFetcher, failure
from tests.origins.raw import RawOrigin, reply

from thresher.domain.failure import FailureCode
from thresher.domain.url import parse

LIMIT = 24


async def test_names_whose_servers_are_dead_delay_no_other_also_after_they_were_given_up(
    make_fetcher: MakeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def getaddrinfo(host: bytes, *_: Any, **__: Any) -> list[Any]:
        if host.startswith(b"dead"):
            over.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        async with RawOrigin({"/": reply(b"x")}) as origin:
            fetcher = await make_fetcher(limit=LIMIT, connect_timeout=1.0)
            dead = [failure(fetcher, f"http://dead{n}.example:{origin.port}/") for n in range(LIMIT)]
            given_up = await asyncio.gather(*dead)
            page = await fetcher.fetch(parse(f"http://good.example:{origin.port}/"), timeout=5)
            under_way = [
                asyncio.create_task(failure(fetcher, f"http://dead{n}.example:{origin.port}/"))
                for n in range(LIMIT, 2 * LIMIT - 1)
            ]
            again = await fetcher.fetch(parse(f"http://also.good.example:{origin.port}/"), timeout=5)
            await asyncio.gather(*under_way)
    finally:
        over.set()
    assert {failed.failure.code for failed in given_up} == {FailureCode.DNS_FAILED}
    assert (page.body, again.body) == (b"x", b"x")
