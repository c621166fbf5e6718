"""The proxies that an operator set up, in pools, each used in turn: the usual one, and those of countries.

It parses and hands out; how a tunnel through one is opened is for net/tunnel.py. Credentials are in no repr and in no
error.
"""

import base64
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from thresher.domain import url
from thresher.domain.country import COUNTRIES
from thresher.settings import DEFAULT_POOL, ProxyPool


@dataclass(frozen=True, slots=True)
class Proxy:
    """One HTTP proxy. `authorization` is the value of Proxy-Authorization, if it wants one."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)


class Pool:
    """The proxies of one pool. `proxy_dns`: names are left for the proxy to resolve, and so to judge.

    Raises ValueError naming the pool, and not the URL, if one of its URLs is none.
    """

    def __init__(self, name: str, pool: ProxyPool) -> None:
        self.proxy_dns = pool.proxy_dns
        self._proxies = itertools.cycle([_proxy(name, secret.get_secret_value()) for secret in pool.url])

    def next(self) -> Proxy:
        """Whose turn it is."""
        return next(self._proxies)


def pools(given: Mapping[str, ProxyPool]) -> dict[str, Pool]:
    """The pools by their names. Raises ValueError as Pool does, and for a name that is neither a country's nor the default."""
    for name in given:
        if name != DEFAULT_POOL and name not in COUNTRIES:
            raise ValueError(f"the pool {name!r} is neither {DEFAULT_POOL!r} nor an ISO 3166-1 alpha-2 country code")
    return {name: Pool(name, pool) for name, pool in given.items()}


def _proxy(name: str, text: str) -> Proxy:
    try:
        parsed, user, password = url.without_credentials(text)
    except url.InvalidUrl as error:
        raise ValueError(f"a URL of the proxy pool {name!r} cannot be used: {error}") from None
    if parsed.scheme != "http" or parsed.path != "/":
        raise ValueError(f"a URL of the proxy pool {name!r} is not http://[USER:PASSWORD@]HOST:PORT")
    authorization = None
    if user or password:
        authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return Proxy(parsed.host, parsed.port, authorization)
