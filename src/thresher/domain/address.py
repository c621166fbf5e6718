"""Which addresses are the public internet, and what an operator allowed although it is not.

Pure: it judges addresses that somebody else resolved. It knows nothing of DNS, sockets or settings. The tables are
domain/networks.py, the IPv4 inside of IPv6 is found by domain/embedded.py.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from thresher.domain import url
from thresher.domain.embedded import embedded
from thresher.domain.networks import GLOBAL_UNICAST, IPAddress, IPNetwork, row_of

__all__ = ["AllowList", "IPAddress", "can_exist", "forbidden", "forbidden_name", "is_own_name", "parse_address", "vet"]

# What resolvers take for an IPv4 address: whatever ends in a number (WHATWG URL, section 3.5).
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.IGNORECASE)


def forbidden(address: IPAddress, nat64: Sequence[IPv6Network] = ()) -> str | None:
    """Why `address` is not on the public internet, or None if it is.

    An IPv6 address in which an IPv4 address travels is judged by that one as well: a translator or a tunnel on the
    way would deliver to it. `nat64`: the prefixes of such translators; under them, too, public is what is public inside.
    Under others an address that merely looks translated is refused if it would lead inside.
    """
    if isinstance(address, IPv4Address):
        row = row_of(address)
        return str(row) if row else None
    if address.scope_id is not None:
        return "IPv6 with a zone (RFC 4007)"
    carried = embedded(address, nat64)
    for inner in carried:
        row = row_of(inner.address)
        if row and (row.inside or not inner.guessed):
            return f"{inner.form}: {row}"
    if any(inner.decides for inner in carried):
        return None
    row = row_of(address)
    if row:
        return str(row)
    return None if address in GLOBAL_UNICAST else "outside of global unicast 2000::/3 (RFC 4291)"


def can_exist(host: str) -> bool:
    """Whether a host is of a size that names can have (RFC 1035, section 2.3.4). Of others neither DNS nor TLS can speak."""
    labels = host.removesuffix(".").split(".")
    return len(host) <= 254 and all(0 < len(label) < 64 for label in labels)


def is_own_name(host: str) -> bool:
    """Whether `host` is a name that means this machine, whatever DNS says (RFC 6761, section 6.3)."""
    return f".{host.lower().removesuffix('.')}".endswith(".localhost")


def forbidden_name(host: str) -> str | None:
    """Why a name must not be left to somebody else to resolve, or None if it may."""
    if is_own_name(host):
        return "a name of the machine itself (RFC 6761)"
    return "an address that is not written as one" if _ENDS_IN_A_NUMBER.fullmatch(host.removesuffix(".")) else None


class AllowList:
    """What an operator allowed although it is not public: networks (CIDR), single addresses, and host names.

    A host name permits whatever that very name resolves to. Raises ValueError naming an entry that is none of these.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks: list[IPNetwork] = []
        self._hosts: set[str] = set()
        for entry in entries:
            self._add(entry.strip())

    def _add(self, entry: str) -> None:
        try:
            self._networks.append(ip_network(entry.removeprefix("[").removesuffix("]")))
        except ValueError as error:
            if "host bits" in str(error):
                raise ValueError(f"allow-list entry {entry!r}: {error}") from None
            self._hosts.add(_host_name(entry))

    def permits(self, address: IPAddress, host: str) -> bool:
        """Whether `address`, which `host` resolved to (or is), is allowed. An IPv4-mapped address counts as its IPv4."""
        if self.permits_name(host):
            return True
        plain = (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
        return any(plain.version == network.version and plain in network for network in self._networks)

    def permits_name(self, host: str) -> bool:
        """Whether `host` is allowed by its name."""
        return host.removesuffix(".") in self._hosts


def _host_name(entry: str) -> str:
    try:
        host = "" if re.search(r"[\s/:@?#\\*%]", entry) else url.parse(f"http://{entry}/").host
    except url.InvalidUrl:
        host = ""
    # An entry that only a URL parser takes for an address (0x7f.1) is more likely a mistake than meant.
    if not host or url.is_address(host):
        raise ValueError(f"allow-list entry {entry!r} is neither a network (CIDR), an address nor a host name")
    return host


def vet(addresses: Sequence[IPAddress], host: str, allow: AllowList, nat64: Sequence[IPv6Network] = ()) -> str | None:
    """Why the whole answer for `host` is refused, or None if every address of it may be dialled.

    One forbidden address among good ones spoils the answer: which of them is dialled must not matter.
    """
    for address in addresses:
        reason = forbidden(address, nat64)
        if reason and not allow.permits(address, host):
            return reason
    return None if addresses else "no address"


def parse_address(text: str) -> IPAddress | None:
    """The address that a parsed host is, or None if it is a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None
