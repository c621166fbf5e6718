"""The address that the API listens on: checked before the start, spelled for people, watched until it answers."""

import asyncio
import socket

from thresher.cli.errors import CommandError

POLL_SECONDS = 0.05
PATIENCE = 5.0  # /readyz takes up to 3 s when one of its dependencies does not answer


def claim_port(host: str, port: int) -> int:
    """Check that `host:port` can be listened on, and return the port: the same, or a free one for 0.

    It is free again afterwards, because the API binds it itself, at every restart. Raises CommandError.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
            chosen: int = probe.getsockname()[1]
    except OSError as error:
        raise CommandError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. "
            "Choose another port with --port (0 takes a free one), or an address of this machine with --host."
        ) from error
    return chosen


def base_url(host: str, port: int) -> str:
    """The URL to reach it from this machine."""
    near = reachable(host)
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"


def reachable(host: str) -> str:
    """An address to connect to for one to listen on: loopback for every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound


async def answers(url: str, path: str = "/healthz") -> bool:
    """Whether the server at that URL says 200 there, within PATIENCE seconds."""
    from aiohttp import ClientError, ClientSession, ClientTimeout

    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=PATIENCE), trust_env=False) as session,
            session.get(url + path, allow_redirects=False) as answer,
        ):
            return answer.status == 200
    except (ClientError, TimeoutError, ValueError):
        return False


async def ready(url: str, seconds: float) -> bool:
    """Whether the server at that URL can serve, within that time."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                if await answers(url, "/readyz"):
                    return True
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False
