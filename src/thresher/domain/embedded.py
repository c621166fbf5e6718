"""IPv4 addresses that travel in IPv6 addresses: where a translator or a tunnel on the way would deliver to.

Takes addresses apart, and judges none.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import NamedTuple

from thresher.domain.networks import GLOBAL_UNICAST

_TEREDO = IPv6Network("2001::/32")
_6TO4 = IPv6Network("2002::/16")
_WELL_KNOWN_NAT64 = IPv6Network("64:ff9b::/96")

# The interface identifier of ISATAP (RFC 5214, section 6.1) with the universal/local bit masked out.
_ISATAP, _ISATAP_MASK = 0x0000_5EFE, 0xFDFF_FFFF

_LOW32, _LOW64 = 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF

NAT64_LENGTHS = (32, 40, 48, 56, 64, 96)  # RFC 6052 section 2.2


class Carried(NamedTuple):
    """An IPv4 address inside an IPv6 one.

    `decides`: the IPv6 address leads there and nowhere else. `guessed`: the address has the shape of the form, and may
    be a plain one all the same.
    """

    address: IPv4Address
    form: str
    decides: bool = False
    guessed: bool = False


def embedded(address: IPv6Address, nat64: Sequence[IPv6Network] = ()) -> list[Carried]:
    """Every IPv4 address that `address` may carry; empty for a plain one. `nat64`: the prefixes known to translate."""
    bits = int(address)
    low, middle = IPv4Address(bits & _LOW32), bits >> 32
    found = [
        Carried(translated(bits, prefix.prefixlen), f"NAT64 {prefix} (RFC 6052)", decides=True)
        for prefix in nat64
        if address in prefix
    ]
    if middle == 0xFFFF:
        found.append(Carried(low, "IPv4-mapped (RFC 4291)", decides=True))
    elif middle == 0xFFFF_0000:
        found.append(Carried(low, "IPv4-translated (RFC 2765)"))
    elif middle == 0 and bits > 1:
        found.append(Carried(low, "IPv4-compatible (RFC 4291)"))
    elif address in _WELL_KNOWN_NAT64:
        found.append(Carried(low, "NAT64 (RFC 6052)", decides=True))
    elif address in _TEREDO:
        found.append(Carried(IPv4Address(bits >> 64 & _LOW32), "Teredo server (RFC 4380)", decides=True))
        found.append(Carried(IPv4Address(~bits & _LOW32), "Teredo client (RFC 4380)", decides=True))
    elif address in _6TO4:
        found.append(Carried(IPv4Address(bits >> 80 & _LOW32), "6to4 (RFC 3056)"))
    elif address in GLOBAL_UNICAST and not found:
        found += _guesses(bits)
    if middle & _LOW32 & _ISATAP_MASK == _ISATAP:
        found.append(Carried(low, "ISATAP (RFC 5214)"))
    return found


def translated(bits: int, length: int) -> IPv4Address:
    """The IPv4 address in a NAT64 address under a prefix of `length` bits (RFC 6052, section 2.2)."""
    if length == 96:
        return IPv4Address(bits & _LOW32)
    return IPv4Address(_without_u(bits) >> (88 - length) & _LOW32)


def _without_u(bits: int) -> int:
    """The 120 bits around bits 64 to 71, the octet that RFC 6052 keeps zero."""
    return (bits >> 64) << 56 | (bits & _LOW64 >> 8)


def _guesses(bits: int) -> list[Carried]:
    """What `bits` may carry under a NAT64 prefix that nobody told us of.

    By section 2.2 bits 64 to 71 are zero, and so is the suffix. A prefix of 96 bits may end in anything, but for that
    octet; taking every such address for NAT64 would refuse one in a hundred of CloudFront's (see ADR 0023), so it must
    be zero up to its last eight bits, as in those that are in use.
    """
    if bits >> 56 & 0xFF:
        return []
    plain = _without_u(bits)
    lengths = [length for length in NAT64_LENGTHS[:-1] if not plain & ((1 << (88 - length)) - 1)]
    if bits & _LOW64 < 1 << 40:
        lengths.append(96)
    return [Carried(translated(bits, length), f"like NAT64 /{length} (RFC 6052)", guessed=True) for length in lengths]


def nat64_prefix(text: str) -> IPv6Network:
    """The NAT64 prefix that `text` is. Raises ValueError naming one that RFC 6052 does not know."""
    try:
        network = IPv6Network(text.strip())
    except ValueError:
        raise ValueError(f"NAT64 prefix {text!r} is not an IPv6 network (CIDR)") from None
    if network.prefixlen not in NAT64_LENGTHS or int(network.network_address) >> 56 & 0xFF:
        raise ValueError(
            f"NAT64 prefix {text!r} must have 32, 40, 48, 56, 64 or 96 bits, and bits 64 to 71 zero (RFC 6052)"
        )
    return network
