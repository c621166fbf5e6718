"""Run in a network namespace of its own, where every address of both families is this machine: canaries everywhere.

A program: prints one line of JSON with what was refused, what was fetched, and at which addresses something was heard.
Without the right to make its world it says so in `skip`.
"""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from tests.net.ssrf.inputs import PUBLIC, Names, allowed, hostile
from tests.net.ssrf.rig import Rig, attempted, fetched, responders
from tests.origins.raw import RawOrigin, redirect

from thresher.convert.converter import Converter
from thresher.domain.ports import BAD_PORTS
from thresher.net.dial import Dial
from thresher.net.fetch import Fetcher
from thresher.pipeline.item import Tools
from thresher.pipeline.robots import Robots
from thresher.settings import Settings

PORTS = sorted({80, 443, 8080, 8443} | BAD_PORTS - {0})
# A world in which even these are ours. Multicast and broadcast take no connection anywhere.
WORLD = (
    ["ip", "link", "set", "lo", "up"],
    ["ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"],
    ["ip", "-6", "route", "add", "local", "::/0", "dev", "lo"],
)
PLAIN = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "::1", "fd00:ec2::254"]

Heard = set[tuple[str, int]]


class Canaries:
    """One listener at every port of PORTS and all addresses; what is heard is served by `origin`."""

    def __init__(self, origin: RawOrigin) -> None:
        self._origin = origin
        self._heard: Heard = set()

    @asynccontextmanager
    async def singing(self) -> AsyncIterator[None]:
        servers = [await asyncio.start_server(self._accept, "", port) for port in PORTS]
        try:
            yield
        finally:
            for server in servers:
                server.close()

    @contextmanager
    def hearing(self) -> Iterator[Heard]:
        """The addresses and ports that are dialled within the block."""
        self._heard = heard = set()
        yield heard
        self._heard = set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = writer.get_extra_info("sockname")
        self._heard.add((at[0], at[1]))
        await self._origin._accept(reader, writer)


@asynccontextmanager
async def tools(settings: Settings) -> AsyncIterator[Tools]:
    """A worker's, with nothing in the allow-list, and without a database, which robots.txt goes on without."""
    dial = Dial(allow=(), connect_to=(), extra_ca=None, connect_timeout=2, limit=64, lookup=Names(PUBLIC))
    fetcher = Fetcher(
        dial, user_agent="test/1", max_body_bytes=settings.max_body_bytes, max_redirects=settings.max_redirects
    )
    converter = Converter(timeout=10, memory_bytes=2**29, max_decoded_bytes=2**20, max_output_bytes=2**20)
    pool: Any = await asyncpg.create_pool("postgresql:///none?host=/nonexistent", min_size=0)
    await converter.start()
    try:
        async with fetcher:
            yield Tools(fetcher, converter, Robots(fetcher, pool, settings))
    finally:
        await converter.close()
        await pool.close()


async def main() -> dict[str, Any]:
    """What is printed."""
    inputs, controls = hostile(), allowed()
    origin = RawOrigin(responders(inputs))
    for path in ("/?u=http://127.0.0.1/@10.0.0.1", "/@127.0.0.1/"):
        origin.responders[path] = origin.responders["/"]
    for number, url in enumerate(controls):
        origin.responders[f"/control/{number}"] = redirect(url)
    canaries = Canaries(origin)
    async with origin, canaries.singing(), tools(Settings(max_redirects=5)) as worker:
        with canaries.hearing() as of_hostile:
            outcomes = await Rig(worker, "origin.example", inputs).run()
        with canaries.hearing() as of_controls:
            codes = {url: await attempted(worker, url) for url in controls}
            for number, url in enumerate(controls):
                code = await fetched(worker.fetcher, f"http://origin.example/control/{number}")
                codes[url] = codes[url] if code == "ok" else code
        with canaries.hearing() as of_plain:
            for address in PLAIN:
                _, writer = await asyncio.open_connection(address, 80)
                writer.close()
            async with asyncio.timeout(10):
                while len(of_plain) < len(PLAIN):
                    await asyncio.sleep(0)
    return {
        "outcomes": outcomes,
        "controls": codes,
        "heard_of_hostile": sorted(of_hostile),
        "heard_of_controls": sorted(of_controls),
        "heard_of_plain": sorted(host for host, _ in of_plain),
    }


def _make_world() -> str | None:
    """Why there is none, or None."""
    for command in WORLD:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{' '.join(command)}: {done.stderr.strip()}"
    try:
        socket.create_connection(("2606:4700::1111", 9), timeout=1).close()
    except ConnectionRefusedError:
        return None
    except OSError as error:
        return f"the namespace has no IPv6: {error}"
    return None


if __name__ == "__main__":
    reason = _make_world()
    print(json.dumps({"skip": reason} if reason else asyncio.run(main())))
