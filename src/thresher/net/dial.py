"""The dial: the one way to an address that a caller or a page chose.

It puts together the guard (what may be dialled), the routes (connect-to), the lookup, TLS trust and proxies, and opens
HTTP sessions over them. It knows nothing of redirects, bodies or items.
"""

import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from thresher.domain import country
from thresher.domain.routes import Routes
from thresher.net.connector import GuardedConnector
from thresher.net.guard import Guard
from thresher.net.lookup import Lookup, SystemLookup
from thresher.net.proxies import pools
from thresher.settings import DEFAULT_POOL, ProxyPool, Settings

# A response's header lines: real pages send cookies and policies beyond aiohttp's 8 KiB; past this it is an attack.
MAX_HEADER_LINE = 64 * 1024
MAX_HEADERS = 512
POSTS = 64  # webhooks under way in a process
READ_AHEAD = 64 * 1024  # bytes of a body that nobody has read yet; twice as many stop the reading from the socket


class Dial:
    """One allow-list's view of the network; one for pages, another for webhooks.

    `allow`: networks, addresses and host names that may be reached although they are not public. `connect_to`:
    HOST:PORT=ADDRESS:PORT rules. `extra_ca`: a PEM file trusted besides the system's authorities.
    `connect_timeout`: seconds to resolve, connect and shake hands. `limit`: connections at a time in one session.
    `nat64`: NAT64 prefixes. `proxies`: pools of proxies, `default` or by country; with a default one nothing goes without a proxy.
    Raises ValueError for a malformed entry or rule, OSError or ssl.SSLError for a bad PEM file.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str],
        connect_to: Sequence[str],
        extra_ca: Path | None,
        connect_timeout: float,
        limit: int,
        nat64: Sequence[str] = (),
        proxies: Mapping[str, ProxyPool] = MappingProxyType({}),
        lookup: Lookup | None = None,
    ) -> None:
        self.connect_timeout = connect_timeout
        self.limit = limit
        self._guard = Guard(allow, nat64)
        self._pools = pools(proxies)
        self._routes = Routes(connect_to)
        self._own_lookup: SystemLookup | None = None
        if lookup is None:
            # Half of them may hang at dead name servers, given up by their fetches, and no other host waits for them.
            lookup = self._own_lookup = SystemLookup(2 * limit)
        self._lookup = lookup
        self._ssl = _trust(extra_ca)

    @classmethod
    def from_settings(cls, settings: Settings, purpose: Literal["fetch", "webhook"] = "fetch") -> Self:
        """The dial for a purpose, with that purpose's allow-list and its room."""
        return cls(
            allow=settings.fetch_allow if purpose == "fetch" else settings.webhook_allow,
            connect_to=settings.connect_to,
            extra_ca=settings.extra_ca,
            connect_timeout=settings.connect_timeout,
            limit=settings.fetches_per_worker if purpose == "fetch" else POSTS,
            nat64=settings.nat64_prefixes,
            proxies=settings.proxies if purpose == "fetch" else {},
        )

    @property
    def countries(self) -> frozenset[str]:
        """The countries that there are proxies in."""
        return country.served(self._pools)

    def session(self, headers: Mapping[str, str] | None = None, country: str | None = None) -> ClientSession:
        """A new HTTP session over this dial, to be closed by the caller; `headers` are sent with every request.

        It goes through the proxies of `country`, which must have some; of none, through the default ones, if there are any.
        The environment's proxies and .netrc are ignored.
        Bodies come as they were sent (no decompression), cookies are dropped.
        Redirects are the caller's business: pass allow_redirects=False, for aiohttp parses URLs differently.
        """
        proxies = self._pools[country] if country is not None else self._pools.get(DEFAULT_POOL)
        session = ClientSession(
            connector=GuardedConnector(
                self._guard,
                self._routes,
                self._lookup,
                ssl=self._ssl,
                limit=self.limit,
                proxies=proxies,
                sessions=1 + len(self.countries),
            ),
            headers=headers,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=ClientTimeout(total=None, connect=self.connect_timeout, ceil_threshold=3600),
            read_bufsize=READ_AHEAD,
            max_line_size=MAX_HEADER_LINE,
            max_field_size=MAX_HEADER_LINE,
            max_headers=MAX_HEADERS,
        )
        # aiohttp would send a request again although a fresh connection had taken it. Who retries, counts.
        session._retry_connection = False
        return session

    def close(self) -> None:
        """Let the lookup's threads end. Close the sessions first."""
        if self._own_lookup is not None:
            self._own_lookup.close()


@cache
def _trust(extra_ca: Path | None) -> ssl.SSLContext:
    """One for all dials of a process: to read the system's authorities takes it a twentieth of its start."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if extra_ca is not None:
        context.load_verify_locations(extra_ca)
    return context
