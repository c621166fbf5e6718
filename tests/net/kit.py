"""What the tests of the network share: the types of its fixtures, and one way to expect a failure."""

import ssl
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol

import pytest
import trustme

from thresher.domain.address import IPAddress
from thresher.domain.url import parse
from thresher.net.fetch import Fetcher, FetchFailed
from thresher.net.lookup import Lookup

LOOPBACK = ("127.0.0.0/8", "::1")


class MakeFetcher(Protocol):
    async def __call__(
        self,
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
    ) -> Fetcher: ...


class MakeContext(Protocol):
    def __call__(self, issued: trustme.LeafCert) -> ssl.SSLContext: ...


async def failure(fetcher: Fetcher, url: str, timeout: float = 5.0, country: str | None = None) -> FetchFailed:
    """Fetch what must fail, and return the failure."""
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(parse(url), timeout=timeout, country=country)
    return caught.value


class Names:
    """A lookup that answers from a script: each question takes the next answer, the last one stays."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[IPAddress]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [ip_address(text) for text in answer]
