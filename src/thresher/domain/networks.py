"""The networks that are not the public internet: one row each, with the RFC that set it aside.

A table and its look-up, nothing else: what follows from a row is for domain/address.py.
Sources: the IANA special-purpose and multicast registries (RFC 6890 and its updates); the clouds' own manuals.
"""

import functools
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import NamedTuple

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class Row(NamedTuple):
    """One network that must not be dialled. `inside`: it is somebody's own, what an attacker would be after."""

    network: IPNetwork
    what: str
    source: str
    inside: bool

    def __str__(self) -> str:
        return f"{self.what} ({self.source})"


def _rows(inside: bool, *rows: tuple[str, str, str]) -> tuple[Row, ...]:
    return tuple(Row(ip_network(network), what, source, inside) for network, what, source in rows)


# The first row that contains an address gives the reason, so the narrow rows stand before the wide ones.
_V4: tuple[Row, ...] = (
    *_rows(
        True,
        ("169.254.169.254/32", "cloud metadata service", "RFC 3927; AWS, Azure, Google and others"),
        ("169.254.170.2/32", "cloud metadata service", "RFC 3927; AWS containers"),
        ("169.254.170.23/32", "cloud metadata service", "RFC 3927; AWS pod identity"),
        ("169.254.0.23/32", "cloud metadata service", "RFC 3927; Tencent"),
        ("169.254.42.42/32", "cloud metadata service", "RFC 3927; Scaleway"),
        ("100.100.100.200/32", "cloud metadata service", "RFC 6598; Alibaba"),
        ("192.0.0.192/32", "cloud metadata service", "RFC 6890; Oracle"),
        ("168.63.129.16/32", "cloud metadata service in public space", "Azure"),
        ("192.80.8.124/32", "cloud metadata service in public space", "Equinix Metal"),
        ("10.0.0.0/8", "private use", "RFC 1918"),
        ("100.64.0.0/10", "carrier-grade NAT", "RFC 6598"),
        ("127.0.0.0/8", "loopback", "RFC 1122"),
        ("169.254.0.0/16", "link-local", "RFC 3927"),
        ("172.16.0.0/12", "private use", "RFC 1918"),
        ("192.168.0.0/16", "private use", "RFC 1918"),
    ),
    *_rows(
        False,
        ("0.0.0.0/8", "this network", "RFC 791"),
        ("192.0.0.0/29", "IPv4 service continuity", "RFC 7335"),
        ("192.0.0.8/32", "IPv4 dummy address", "RFC 7600"),
        ("192.0.0.9/32", "port control anycast", "RFC 7723"),
        ("192.0.0.10/32", "TURN anycast", "RFC 8155"),
        ("192.0.0.170/31", "NAT64 and DNS64 discovery", "RFC 7050"),
        ("192.0.0.0/24", "IETF protocol assignments", "RFC 6890"),
        ("192.0.2.0/24", "documentation", "RFC 5737"),
        ("192.31.196.0/24", "AS112", "RFC 7535"),
        ("192.52.193.0/24", "automatic multicast tunneling", "RFC 7450"),
        ("192.88.99.2/32", "6a44 relay anycast", "RFC 6751"),
        ("192.88.99.0/24", "6to4 relay anycast", "RFC 7526"),
        ("192.175.48.0/24", "AS112", "RFC 7534"),
        ("198.18.0.0/15", "benchmarking", "RFC 2544"),
        ("198.51.100.0/24", "documentation", "RFC 5737"),
        ("203.0.113.0/24", "documentation", "RFC 5737"),
        ("224.0.0.0/4", "multicast", "RFC 5771"),
        ("255.255.255.255/32", "limited broadcast", "RFC 919"),
        ("240.0.0.0/4", "reserved", "RFC 1112"),
    ),
)

GLOBAL_UNICAST = IPv6Network("2000::/3")

# Outside of 2000::/3 the rows only say what an address is: without one it is refused as well.
_V6: tuple[Row, ...] = (
    *_rows(
        True,
        ("fd00:ec2::254/128", "cloud metadata service", "RFC 4193; AWS"),
        ("fd00:ec2::23/128", "cloud metadata service", "RFC 4193; AWS pod identity"),
        ("fd20:ce::254/128", "cloud metadata service", "RFC 4193; Google"),
        ("fd00:c1::a9fe:a9fe/128", "cloud metadata service", "RFC 4193; Oracle"),
        ("fd00:42::42/128", "cloud metadata service", "RFC 4193; Scaleway"),
        ("fd00:a9fe:a9fe::1/128", "cloud metadata service", "RFC 4193; Akamai"),
        ("::1/128", "loopback", "RFC 4291"),
        ("fc00::/7", "unique local", "RFC 4193"),
        ("fe80::/10", "link-local", "RFC 4291"),
        ("fec0::/10", "site-local", "RFC 3879"),
    ),
    *_rows(
        False,
        ("::/128", "unspecified", "RFC 4291"),
        ("64:ff9b:1::/48", "translation in a network of its own", "RFC 8215"),
        ("100::/64", "discard only", "RFC 6666"),
        ("100:0:0:1::/64", "dummy prefix", "RFC 9780"),
        ("2001:1::1/128", "port control anycast", "RFC 7723"),
        ("2001:1::2/128", "TURN anycast", "RFC 8155"),
        ("2001:1::3/128", "DNS-SD registration anycast", "RFC 9665"),
        ("2001:2::/48", "benchmarking", "RFC 5180"),
        ("2001:3::/32", "automatic multicast tunneling", "RFC 7450"),
        ("2001:4:112::/48", "AS112", "RFC 7535"),
        ("2001:10::/28", "ORCHID", "RFC 4843"),
        ("2001:20::/28", "ORCHIDv2", "RFC 7343"),
        ("2001:30::/28", "drone identifiers", "RFC 9374"),
        ("2001::/23", "IETF protocol assignments", "RFC 2928"),
        ("2001:db8::/32", "documentation", "RFC 3849"),
        ("2620:4f:8000::/48", "AS112", "RFC 7534"),
        ("3fff::/20", "documentation", "RFC 9637"),
        ("5f00::/16", "segment routing identifiers", "RFC 9602"),
        ("ff00::/8", "multicast", "RFC 4291"),
    ),
)

ROWS: tuple[Row, ...] = _V4 + _V6


@functools.lru_cache(maxsize=16_384)
def row_of(address: IPAddress) -> Row | None:
    """The row that says what `address` is, or None if no row has it."""
    rows = _V4 if address.version == 4 else _V6
    return next((row for row in rows if address in row.network), None)
