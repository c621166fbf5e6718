"""Whole answers of a lookup, vetted before anybody dials or caches one of them.

Names of this machine itself (RFC 6761, section 6.3) are loopback addresses, whatever a name server says of them.
"""

import socket
from ipaddress import IPv4Address

from aiohttp.abc import AbstractResolver, ResolveResult

from thresher.domain.address import IPAddress, is_own_name
from thresher.net.guard import Guard
from thresher.net.lookup import Lookup


class VettedResolver(AbstractResolver):
    """The connector's resolver. Raises AddressRefused, or what the lookup raises."""

    def __init__(self, guard: Guard, lookup: Lookup) -> None:
        self._guard, self._lookup = guard, lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of `host`, each of which may be dialled at `port`."""
        addresses = await (self._own(host) if is_own_name(host) else self._lookup(host))
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        self._guard.check(addresses, host, port)
        return [result(host, address, port) for address in addresses]

    async def _own(self, host: str) -> list[IPAddress]:
        try:
            found = [address for address in await self._lookup(host) if address.is_loopback]
        except OSError:
            found = []
        return found or [IPv4Address("127.0.0.1")]

    async def close(self) -> None:
        """The lookup is the Dial's."""


def result(host: str, address: IPAddress | str, port: int) -> ResolveResult:
    """One address, or a name that somebody else will resolve, as the HTTP client has them."""
    return ResolveResult(
        hostname=host,
        host=str(address),
        port=port,
        family=socket.AF_INET6 if ":" in str(address) else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )
