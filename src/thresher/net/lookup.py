"""Names to addresses, by the system's resolver, off the event loop. It does not judge what it finds."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from thresher.domain.address import IPAddress, parse_address

# A host name to its addresses, in the order to try. Raises socket.gaierror; an empty answer counts as no such name.
Lookup = Callable[[str], Awaitable[list[IPAddress]]]


class SystemLookup:
    """getaddrinfo in `threads` of its own. `close` does not wait for lookups under way.

    Each blocks its thread, for up to half a minute at a dead name server, also when nobody waits for it any more. So
    there should be more threads than lookups that are waited for; an idle or waiting one costs only its stack.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="dns")

    async def __call__(self, host: str) -> list[IPAddress]:
        """The addresses of `host`, in the system's order of preference (RFC 6724)."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _getaddrinfo, host)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _getaddrinfo(host: str) -> list[IPAddress]:
    # As bytes: a text would go through Python's own IDNA codec, which fails on names that DNS allows.
    answers = socket.getaddrinfo(host.encode(), None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    found = (parse_address(str(sockaddr[0])) for *_, sockaddr in answers)
    return list(dict.fromkeys(address for address in found if address is not None))
