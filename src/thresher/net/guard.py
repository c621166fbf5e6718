"""The guard: says no to an address, or a port, that a caller or a page must not make Thresher dial.

It decides by the tables of domain/address.py and one allow-list. It resolves and dials nothing.
"""

import logging
from collections.abc import Iterable, Sequence

from thresher.domain.address import AllowList, IPAddress, forbidden_name, vet
from thresher.domain.embedded import nat64_prefix
from thresher.domain.ports import BAD_PORTS

log = logging.getLogger(__name__)


class AddressRefused(OSError):
    """Raised instead of dialling. An OSError, as the HTTP client expects of resolvers and socket factories.

    Its text names no address and no reason: it may reach a caller who is probing the network.
    """

    def __init__(self) -> None:
        super().__init__("the address is not one that may be dialled")


class Guard:
    """One allow-list, applied. `allow` takes networks (CIDR), addresses and host names; `nat64` NAT64 prefixes (CIDR).

    Raises ValueError naming an entry that is malformed.
    """

    def __init__(self, allow: Iterable[str], nat64: Iterable[str] = ()) -> None:
        self._allow = AllowList(allow)
        self._nat64 = tuple(nat64_prefix(text) for text in nat64)

    def check(self, addresses: Sequence[IPAddress], host: str, port: int) -> None:
        """Return if each of `addresses`, all that `host` resolved to, may be dialled at `port`; else raise AddressRefused."""
        reason = vet(addresses, host, self._allow, self._nat64)
        if reason is None and port in BAD_PORTS and not all(self._allow.permits(a, host) for a in addresses):
            reason = _bad_port(port)
        self._refuse(host, reason)

    def check_name(self, host: str, port: int) -> None:
        """Return if a proxy may be asked to resolve `host` and to connect to `port`; else raise AddressRefused."""
        reason = None
        if not self._allow.permits_name(host):
            reason = forbidden_name(host) or (_bad_port(port) if port in BAD_PORTS else None)
        self._refuse(host, reason)

    def _refuse(self, host: str, reason: str | None) -> None:
        if reason is not None:
            log.info("refused to dial %s: %s", host, reason)
            raise AddressRefused


def _bad_port(port: int) -> str:
    return f"port {port} is a bad port (Fetch standard)"
