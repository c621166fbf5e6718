"""Which addresses are the public internet: tables of the networks that are not, and what an operator allowed anyway.

Pure: it judges addresses that somebody else resolved. It knows nothing of DNS, sockets or settings.
Sources: the IANA special-purpose registries (RFC 6890 and its updates), and the Fetch standard for ports.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from thresher.domain import url

IPAddress = IPv4Address | IPv6Address

# The first row that contains the address gives the reason, so the narrow rows stand before the wide ones.
_FORBIDDEN_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("169.254.169.254/32", "cloud metadata service"),
        ("169.254.170.2/32", "cloud metadata service (AWS containers)"),
        ("100.100.100.200/32", "cloud metadata service (Alibaba)"),
        ("192.0.0.192/32", "cloud metadata service (Oracle)"),
        ("168.63.129.16/32", "cloud platform service in public space (Azure)"),
        ("255.255.255.255/32", "limited broadcast (RFC 919)"),
        ("0.0.0.0/8", "this network (RFC 791)"),
        ("10.0.0.0/8", "private use (RFC 1918)"),
        ("100.64.0.0/10", "carrier-grade NAT (RFC 6598)"),
        ("127.0.0.0/8", "loopback (RFC 1122)"),
        ("169.254.0.0/16", "link-local (RFC 3927)"),
        ("172.16.0.0/12", "private use (RFC 1918)"),
        ("192.0.0.0/24", "IETF protocol assignments (RFC 6890)"),
        ("192.0.2.0/24", "documentation (RFC 5737)"),
        ("192.31.196.0/24", "AS112 (RFC 7535)"),
        ("192.52.193.0/24", "automatic multicast tunneling (RFC 7450)"),
        ("192.88.99.0/24", "6to4 relay anycast (RFC 7526)"),
        ("192.168.0.0/16", "private use (RFC 1918)"),
        ("192.175.48.0/24", "AS112 (RFC 7534)"),
        ("198.18.0.0/15", "benchmarking (RFC 2544)"),
        ("198.51.100.0/24", "documentation (RFC 5737)"),
        ("203.0.113.0/24", "documentation (RFC 5737)"),
        ("224.0.0.0/4", "multicast (RFC 5771)"),
        ("240.0.0.0/4", "reserved (RFC 1112)"),
    )
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_TEREDO = IPv6Network("2001::/32")
_6TO4 = IPv6Network("2002::/16")
_NAT64 = IPv6Network("64:ff9b::/96")

# Inside 2000::/3; what lies outside of it is refused as a whole, but for the two translations below.
_FORBIDDEN_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("2001::/23", "IETF protocol assignments (RFC 2928)"),
        ("2001:db8::/32", "documentation (RFC 3849)"),
        ("2620:4f:8000::/48", "AS112 (RFC 7534)"),
        ("3fff::/20", "documentation (RFC 9637)"),
    )
)

# The interface identifier of ISATAP (RFC 5214, section 6.1) with the universal/local bit masked out.
_ISATAP, _ISATAP_MASK = 0x0000_5EFE, 0xFDFF_FFFF

# https://fetch.spec.whatwg.org/#port-blocking: ports of protocols that can be made to misread an HTTP request.
# fmt: off
BAD_PORTS: frozenset[int] = frozenset({
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
})
# fmt: on


def forbidden(address: IPAddress) -> str | None:
    """Why `address` is not on the public internet, or None if it is.

    An IPv6 address in which an IPv4 address travels is judged by that one: a translator or a tunnel on the
    way would deliver to it. (A network's own NAT64 prefix cannot be told from other public addresses, RFC 6052
    section 2.2; whoever runs one that reaches inside must filter there.)
    """
    return _forbidden_v4(address) if isinstance(address, IPv4Address) else _forbidden_v6(address)


def _forbidden_v4(address: IPv4Address) -> str | None:
    return next((reason for network, reason in _FORBIDDEN_V4 if address in network), None)


def _forbidden_v6(address: IPv6Address) -> str | None:
    if address.scope_id is not None:
        return "IPv6 with a zone: link-local (RFC 4007)"
    carried = embedded(address)
    for inner in carried:
        if reason := _forbidden_v4(inner):
            return f"carries an IPv4 address: {reason}"
    if carried and (address.ipv4_mapped or address in _NAT64):
        return None
    if address not in _GLOBAL_UNICAST:
        return "outside of global unicast 2000::/3 (RFC 4291)"
    if address in _TEREDO:
        return None
    return next((reason for network, reason in _FORBIDDEN_V6 if address in network), None)


def embedded(address: IPv6Address) -> list[IPv4Address]:
    """Every IPv4 address that travels in an IPv6 address; empty for a plain one.

    Mapped and compatible (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380: the server, and
    the client whose bits are inverted), ISATAP (RFC 5214).
    """
    bits = int(address)
    low = IPv4Address(bits & 0xFFFF_FFFF)
    found: list[IPv4Address] = []
    if address.ipv4_mapped or bits >> 32 == 0 or address in _NAT64:
        found.append(low)
    if address in _6TO4:
        found.append(IPv4Address(bits >> 80 & 0xFFFF_FFFF))
    if address in _TEREDO:
        found += [IPv4Address(bits >> 64 & 0xFFFF_FFFF), IPv4Address(~bits & 0xFFFF_FFFF)]
    if (bits >> 32 & 0xFFFF_FFFF) & _ISATAP_MASK == _ISATAP:
        found.append(low)
    return found


class AllowList:
    """What an operator allowed although it is not public: networks (CIDR), single addresses, and host names.

    A host name permits whatever that very name resolves to. Raises ValueError naming an entry that is none of these.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
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
        if host.removesuffix(".") in self._hosts:
            return True
        plain = (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
        return any(plain.version == network.version and plain in network for network in self._networks)


def _host_name(entry: str) -> str:
    try:
        host = "" if re.search(r"[\s/:@?#\\*%]", entry) else url.parse(f"http://{entry}/").host
    except url.InvalidUrl:
        host = ""
    # An entry that only a URL parser takes for an address (0x7f.1) is more likely a mistake than meant.
    if not host or url.is_address(host):
        raise ValueError(f"allow-list entry {entry!r} is neither a network (CIDR), an address nor a host name")
    return host.removesuffix(".")


def vet(addresses: Sequence[IPAddress], host: str, allow: AllowList) -> str | None:
    """Why the whole answer for `host` is refused, or None if every address of it may be dialled.

    One forbidden address among good ones spoils the answer: which of them is dialled must not matter.
    """
    for address in addresses:
        reason = forbidden(address)
        if reason and not allow.permits(address, host):
            return reason
    return None if addresses else "no address"


def parse_address(text: str) -> IPAddress | None:
    """The address that a parsed host is, or None if it is a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None
