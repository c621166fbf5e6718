"""Whether the text of a URL tells by itself that it will not be dialled. What a name resolves to is judged at each dial. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from thresher.domain.address import AllowList, forbidden_name, is_own_name, parse_address, vet
from thresher.domain.ports import BAD_PORTS

_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


def refusal(host: str, port: int, allow: AllowList, nat64: Sequence[IPv6Network]) -> str | None:
    """Why a host of a parsed URL will not be dialled at this port, in words for the caller, or None."""
    address = parse_address(host)
    if address is not None:
        allowed = allow.permits(address, host)
        forbidden = vet([address], host, allow, nat64) is not None
    elif is_own_name(host):
        allowed = any(allow.permits(own, host) for own in _LOOPBACK)
        forbidden = not allowed
    else:
        allowed = allow.permits_name(host)
        forbidden = not allowed and forbidden_name(host) is not None
    if forbidden:
        return f"{host} is not on the public internet"
    if port in BAD_PORTS and not allowed:
        return f"port {port} is one that no request is sent to"
    return None
