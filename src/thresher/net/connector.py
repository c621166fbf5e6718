"""The guarded connector: aiohttp's TCP connector, made unable to reach an address that the guard refuses.

Names are vetted as whole answers when they are resolved (and only vetted answers are cached); every address,
IP literals too, is vetted again where its socket is made, or a proxy is asked to. What happened on the way is noted in
a Passage.
"""

import asyncio
import socket
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from ssl import SSLContext
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from aiohttp import AddrInfoType, ClientConnectorError, ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler

from thresher.domain.address import IPAddress, can_exist, parse_address
from thresher.domain.routes import Routes
from thresher.net import tunnel
from thresher.net.guard import AddressRefused, Guard
from thresher.net.lookup import Lookup
from thresher.net.proxies import Pool, Proxy
from thresher.net.receiver import Receiver
from thresher.net.resolver import VettedResolver, result

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

DNS_TTL = 60  # seconds; short, as the answer's own TTL is not known
DNS_ENTRIES = 10_000  # that a process keeps
KEEPALIVE = 15.0  # seconds; most servers close idle connections after 5 to 75
IDLE_HOSTS = (
    256  # hosts to which a process keeps idle connections; without a bound, a walk over many hosts uses up the files
)


@dataclass(slots=True)
class Passage:
    """What getting a connection took, for one request. Times in seconds; `family` 4 or 6, None until connected."""

    host: str = ""  # the host being dialled, after routing: what the allow-list is asked about
    resolving: bool = False
    tunnel: Literal["reaching", "asking"] | None = None  # what is being done with a proxy
    reused: bool = True  # until something is resolved for it
    dialled: float | None = None  # when TCP stood; for TLS, the handshake is next
    connected: bool = False
    dns: float = 0.0
    connect: float = 0.0  # TLS included
    tls: float = 0.0
    family: int | None = None


passage: ContextVar[Passage] = ContextVar("passage")


class GuardedConnector(TCPConnector):
    """See the module. Made by Dial alone. `proxies`: the pool that every connection goes through. `sessions`: how many share
    what a process may keep.
    """

    def __init__(
        self,
        guard: Guard,
        routes: Routes,
        lookup: Lookup,
        *,
        ssl: SSLContext,
        limit: int,
        proxies: Pool | None = None,
        sessions: int = 1,
    ) -> None:
        super().__init__(
            resolver=VettedResolver(guard, lookup),
            ttl_dns_cache=DNS_TTL,
            dns_cache_max_size=_share(DNS_ENTRIES, sessions),
            keepalive_timeout=KEEPALIVE,
            ssl=ssl,
            limit=limit,
            socket_factory=self._socket,
        )
        self._guard, self._routes, self._lookup, self._proxies = guard, routes, lookup, proxies
        self._idle_hosts = _share(IDLE_HOSTS, sessions)
        # Of connections through a proxy: whose peer is the proxy, not the server.
        self._families: WeakKeyDictionary[ResponseHandler, int | None] = WeakKeyDictionary()
        self._factory = partial(_receiver, loop=self._loop)

    async def connect(self, req: ClientRequest, traces: "list[Trace]", timeout: ClientTimeout) -> "Connection":
        """A connection from the pool, or a new one. A caller that set `passage` finds there how it went."""
        way = passage.get(None)
        if way is None:
            passage.set(way := Passage())
        started = perf_counter()
        connection = await super().connect(req, traces, timeout)
        way.connected = True
        if not way.reused:
            now = perf_counter()
            way.connect = now - started - way.dns
            if req.is_ssl() and way.dialled is not None:
                way.tls = now - way.dialled
        if self._proxies is not None and connection.protocol is not None:
            way.family = self._families.get(connection.protocol)
        elif connection.transport is not None:
            peer = connection.transport.get_extra_info("peername")
            way.family = 6 if peer and len(peer) == 4 else 4
        return connection

    async def _resolve_host(
        self,
        host: str,
        port: int,
        traces: "list[Trace] | None" = None,  # type: ignore[override]
    ) -> list[ResolveResult]:
        # The one step that both names and literals pass. Should a later aiohttp rename it, routing stops and
        # nothing else: names are vetted by the resolver and everything by the socket factory.
        way = passage.get()
        way.reused, way.resolving, started = False, True, perf_counter()
        if not can_exist(host):  # before it is routed or left to a proxy: TLS will be asked for this very name
            raise socket.gaierror(socket.EAI_NONAME, "no name")
        way.host, port = self._routes.target(host, port)
        literal = parse_address(way.host)
        if literal is not None:
            self._guard.check([literal], way.host, port)
        elif self._proxies is not None and self._proxies.proxy_dns:
            self._guard.check_name(way.host, port)
            way.resolving = False
            return [result(way.host, way.host, port)]
        found = await super()._resolve_host(way.host, port, traces)
        way.resolving, way.dns = False, perf_counter() - started
        return found

    async def _wrap_create_connection(
        self,
        *args: Any,
        addr_infos: list[AddrInfoType],
        req: ClientRequest,
        timeout: ClientTimeout,
        client_error: type[Exception] = ClientConnectorError,
        **kwargs: Any,
    ) -> "tuple[asyncio.Transport, ResponseHandler]":
        # Below aiohttp's own support for proxies, which would send them names instead of what was vetted. Should a
        # later aiohttp rename this step, the socket factory refuses, and nothing goes past the proxy.
        if self._proxies is None:
            return await super()._wrap_create_connection(
                *args, addr_infos=addr_infos, req=req, timeout=timeout, client_error=client_error, **kwargs
            )
        try:
            connection, family = await self._first_tunnel(self._proxies, addr_infos)
        except OSError as error:
            raise client_error(req.connection_key, error) from error
        transport, protocol = await super()._wrap_existing_connection(
            *args, sock=connection, req=req, timeout=timeout, client_error=client_error, **kwargs
        )
        self._families[protocol] = family
        return transport, protocol

    async def _first_tunnel(self, proxies: Pool, addr_infos: list[AddrInfoType]) -> tuple[socket.socket, int | None]:
        """A connection to the first address that the proxy can reach, and its family. Those tried leave the list."""
        while True:
            host, port = addr_infos.pop(0)[4][:2]
            address = parse_address(str(host))
            try:
                connection = await self._tunnel(proxies.next(), address, str(host), int(port))
            except tunnel.TargetUnreachable:
                if not addr_infos:
                    raise
            else:
                return connection, address.version if address else None

    async def _tunnel(self, proxy: Proxy, address: IPAddress | None, host: str, port: int) -> socket.socket:
        way = passage.get()
        if address is not None:
            self._guard.check([address], way.host, port)
        else:
            self._guard.check_name(host, port)
        way.tunnel = "reaching"
        connection = await tunnel.reach(proxy, self._lookup)
        way.tunnel = "asking"
        await tunnel.ask(connection, proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        way.tunnel = None
        return connection

    def _release(self, key: "ConnectionKey", protocol: ResponseHandler, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close)
        # A key leaves the pool with its last connection and comes back behind the others: the first is the longest idle.
        while len(self._conns) > self._idle_hosts:
            for idle, _ in self._conns.pop(next(iter(self._conns))):
                idle.close()

    def _socket(self, info: AddrInfoType) -> socket.socket:
        if self._proxies is not None:
            raise AddressRefused
        family, kind, proto, _, sockaddr = info
        address = parse_address(str(sockaddr[0]))
        way = passage.get(None)
        host = way.host if way else str(sockaddr[0])
        self._guard.check([address] if address else [], host, int(sockaddr[1]))
        return socket.socket(family, kind, proto)


def _share(total: int, sessions: int) -> int:
    """What one of so many sessions may keep: enough for the shards in hand in any case."""
    return min(total, max(total // sessions, 16))


def _receiver(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    # Asked for once TCP stands, before the TLS handshake.
    if (way := passage.get(None)) is not None:
        way.dialled = perf_counter()
    return Receiver(loop)
