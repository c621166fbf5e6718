"""The operator's rewriting of targets, as curl's --connect-to does it: what is dialled changes, nothing else.

The Host header, SNI and the certificate check keep the original host. It does not judge targets: that is the guard's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from thresher.domain import url


@dataclass(frozen=True, slots=True)
class Route:
    """One rule. None on the left matches anything; None on the right keeps what was asked for."""

    host: str | None
    port: int | None
    to_host: str | None
    to_port: int | None


class Routes:
    """The rules, in order: the first that matches counts. Raises ValueError naming a rule that is malformed."""

    def __init__(self, rules: Iterable[str]) -> None:
        self._routes = [_route(rule) for rule in rules]

    def target(self, host: str, port: int) -> tuple[str, int]:
        """Where a connection for `host` and `port` goes. A trailing dot makes no other host."""
        name = host.removesuffix(".")
        for route in self._routes:
            if route.host in (None, name) and route.port in (None, port):
                return route.to_host or host, route.to_port or port
        return host, port


def _route(rule: str) -> Route:
    left, _, right = rule.partition("=")
    try:
        return Route(*_side(left), *_side(right))
    except ValueError:
        raise ValueError(f"connect-to rule {rule!r} is not HOST:PORT=ADDRESS:PORT") from None


def _side(text: str) -> tuple[str | None, int | None]:
    host, separator, port = text.strip().rpartition(":")
    if not separator or (":" in host and not host.startswith("[")):
        raise ValueError("no port, or an IPv6 address without brackets")
    number = None if port in ("", "*") else int(port)
    if number is not None and not 0 < number < 65536:
        raise ValueError("no such port")
    if "*" in host and host != "*":  # it would match nothing, and nobody would know why
        raise ValueError("a part of a host cannot be *")
    return (None if host in ("", "*") else url.parse(f"http://{host}/").host), number
