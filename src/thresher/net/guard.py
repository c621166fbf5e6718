"""The guard: says no to an address, or a port, that a caller or a page must not make Thresher dial.

It decides by the tables of domain/address.py and one allow-list. It resolves and dials nothing.
"""

import logging
from collections.abc import Iterable, Sequence

from thresher.domain.address import AllowList, IPAddress, vet
from thresher.domain.ports import BAD_PORTS

log = logging.getLogger(__name__)


class AddressRefused(OSError):
    """Raised instead of dialling. An OSError, as the HTTP client expects of resolvers and socket factories.

    Its text names no address and no reason: it may reach a caller who is probing the network.
    """

    def __init__(self) -> None:
        super().__init__("the address is not one that may be dialled")


class Guard:
    """One allow-list, applied. `allow` takes networks (CIDR), addresses and host names."""

    def __init__(self, allow: Iterable[str]) -> None:
        self._allow = AllowList(allow)

    def check(self, addresses: Sequence[IPAddress], host: str, port: int) -> None:
        """Return if each of `addresses`, all that `host` resolved to, may be dialled at `port`; else raise AddressRefused."""
        reason = vet(addresses, host, self._allow)
        if reason is None and port in BAD_PORTS and not all(self._allow.permits(a, host) for a in addresses):
            reason = f"port {port} is a bad port (Fetch standard)"
        if reason is not None:
            log.info("refused to dial %s: %s", host, reason)
            raise AddressRefused
