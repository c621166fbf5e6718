"""What the tests of the network share: the types of its fixtures, and one way to expect a failure."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest
import trustme

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
        max_body_bytes: int = 1_000_000,
        max_redirects: int = 5,
    ) -> Fetcher: ...


class MakeContext(Protocol):
    def __call__(self, issued: trustme.LeafCert) -> ssl.SSLContext: ...


async def failure(fetcher: Fetcher, url: str, timeout: float = 5.0) -> FetchFailed:
    """Fetch what must fail, and return the failure."""
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(parse(url), timeout=timeout)
    return caught.value
