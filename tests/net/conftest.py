"""Fetchers over loopback, a private certificate authority, and the check that nothing is left open."""

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.net.kit import LOOPBACK, MakeContext, MakeFetcher

from thresher.net.dial import Dial
from thresher.net.fetch import Fetcher
from thresher.net.lookup import Lookup
from thresher.settings import ProxyPool


@pytest.fixture
async def make_fetcher() -> AsyncIterator[MakeFetcher]:
    """Fetchers that are closed after the test."""
    async with AsyncExitStack() as stack:

        async def make(
            allow: Sequence[str] = LOOPBACK,
            connect_to: Sequence[str] = (),
            extra_ca: Path | None = None,
            connect_timeout: float = 5.0,
            lookup: Lookup | None = None,
            proxies: Mapping[str, Any] | None = None,
            nat64: Sequence[str] = (),
            max_body_bytes: int = 1_000_000,
            max_redirects: int = 5,
            memory_bytes: int = 64_000_000,
            limit: int = 16,
        ) -> Fetcher:
            dial = Dial(
                allow=allow,
                connect_to=connect_to,
                extra_ca=extra_ca,
                connect_timeout=connect_timeout,
                limit=limit,
                lookup=lookup,
                proxies={name: ProxyPool.model_validate(pool) for name, pool in (proxies or {}).items()},
                nat64=nat64,
            )
            return await stack.enter_async_context(
                Fetcher(
                    dial,
                    user_agent="test/1",
                    max_body_bytes=max_body_bytes,
                    max_redirects=max_redirects,
                    memory_bytes=memory_bytes,
                )
            )

        yield make


@pytest.fixture(scope="session", autouse=True)
def only_new_garbage() -> None:
    """What the imports made is not looked through again at each collection below."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
async def nothing_left_open() -> AsyncIterator[None]:
    """Unclosed transports and sockets warn when they are collected, and warnings are errors: collect before the test ends."""
    problems: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(str(context)))
    yield
    gc.collect()
    assert not problems


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_pem(authority: trustme.CA) -> Iterator[Path]:
    with authority.cert_pem.tempfile() as name:
        yield Path(name)


@pytest.fixture
def names_asked() -> list[str | None]:
    """The SNI names that the server of `server_context` was asked for."""
    return []


@pytest.fixture
def server_context(names_asked: list[str | None]) -> MakeContext:
    """A server-side context for a certificate, which notes the SNI names."""

    def make(issued: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        context.sni_callback = lambda _socket, name, _context: names_asked.append(name)
        return context

    return make
