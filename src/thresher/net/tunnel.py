"""A socket through an HTTP proxy: reach the proxy, then ask it to CONNECT (RFC 9110, section 9.3.6).

It trusts the proxy's address, which is the operator's choice, and judges no target: that is the guard's. Time is limited
by whoever calls.
"""

import asyncio
import errno
import re
import socket

from aiohttp import ClientConnectionError

from thresher.domain.address import parse_address
from thresher.net.lookup import Lookup
from thresher.net.proxies import Proxy

MAX_ANSWER = 16 * 1024  # bytes of a proxy's head

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
# How proxies say that they are well, and the server is not.
_SERVERS_FAULT = {502, 503, 504}


class ProxyFailed(ClientConnectionError):
    """The proxy is of no use; `detail` is a sentence. No OSError: the HTTP client would try the host's next address."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class TargetUnreachable(OSError):
    """The proxy said that it could not reach the target; `status` is how."""

    def __init__(self, status: int) -> None:
        super().__init__(errno.EHOSTUNREACH, f"the proxy answered {status}")
        self.status = status


async def reach(proxy: Proxy, lookup: Lookup) -> socket.socket:
    """A connection to the proxy, at the first of its addresses that takes one. Raises ProxyFailed."""
    literal = parse_address(proxy.host)
    try:
        addresses = [literal] if literal else await lookup(proxy.host)
    except OSError:
        raise ProxyFailed("The proxy's name could not be resolved.") from None
    why = "it has no address"
    for address in addresses:
        connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, (str(address), proxy.port))
        except OSError as error:
            connection.close()
            why = errno.errorcode.get(error.errno or 0, type(error).__name__)
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise ProxyFailed(f"The proxy could not be reached: {why}.")


async def ask(connection: socket.socket, proxy: Proxy, authority: str) -> None:
    """Have the proxy connect to `authority` (host:port); from then on the connection is to that.

    Closes it otherwise. Raises ProxyFailed, TargetUnreachable, OSError for a connection that breaks.
    """
    try:
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        await asyncio.get_running_loop().sock_sendall(connection, "\r\n".join([*lines, "", ""]).encode())
        _check(await _answer(connection))
    except (ConnectionError, UnicodeError):
        connection.close()
        raise ProxyFailed("The proxy closed the connection without an answer.") from None
    except BaseException:
        connection.close()
        raise


async def _answer(connection: socket.socket) -> int:
    """The status. What comes behind the head would be the server's, and no server speaks first here."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = await asyncio.get_running_loop().sock_recv(connection, 4096)
        head += piece
        if not piece:
            raise ProxyFailed("The proxy closed the connection without a full answer.")
        if not head.startswith(b"HTTP/1."[: len(head)]) or len(head) > MAX_ANSWER:
            break
    status = _STATUS.match(head)
    end = head.find(b"\r\n\r\n")
    if status is None or end < 0 or (status[1][:1] == b"2" and len(head) > end + 4):
        raise ProxyFailed("The proxy's answer was not valid HTTP.")
    return int(status[1])


def _check(status: int) -> None:
    if status in _SERVERS_FAULT:
        raise TargetUnreachable(status)
    if status == 407:
        raise ProxyFailed("The proxy refused the credentials (407), or wants some.")
    if not 200 <= status < 300:
        raise ProxyFailed(f"The proxy refused to connect to the server ({status}).")
