"""Every hostile input as an item, as a redirect, and as a robots.txt, with the tools of a worker; and what came of it.

It fetches and reports. Whether a connection was made that must not be is for others to see: the witness of this
module, which Python itself tells of every connect, or canaries (namespace.py).
"""

import asyncio
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.net.ssrf.inputs import Hostile
from tests.origins.raw import Exchange, Responder, redirect, reply

from thresher.domain.choices import Choices
from thresher.domain.failure import ItemFailed
from thresher.domain.url import InvalidUrl, Url, parse
from thresher.net.fetch import Fetcher
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.item import Tools, attempt

AT_ONCE = 16
TIMEOUT = 10.0

Outcome = tuple[str, str, str]  # position, URL, code or "ok"


class Rig:
    """`origin` is the authority that the hostile redirects come from, where the responders of `responders` answer."""

    def __init__(self, tools: Tools, origin: str, inputs: Sequence[Hostile]) -> None:
        self._tools, self._origin = tools, origin
        self._inputs = list(enumerate(inputs))
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> list[Outcome]:
        """Every input in every position that it can have."""
        return await asyncio.gather(*(self._one(*each) for each in self._cases()))

    def _cases(self) -> Iterator[tuple[str, int, Hostile]]:
        for number, each in self._inputs:
            positions = ("redirect", "bare redirect", "robots") if each.fits_a_header else ()
            for position in (*positions, *(() if each.relative else ("item", "bare item"))):
                yield position, number, each

    async def _one(self, position: str, number: int, each: Hostile) -> Outcome:
        url = {
            "item": each.url,
            "bare item": each.url,
            "redirect": f"http://{self._origin}/to/{number}",
            "bare redirect": f"http://{self._origin}/to/{number}",
            "robots": f"http://n{number}.{self._origin}/",
        }[position]
        async with self._slots:
            if position.startswith("bare"):
                return position, each.url, await fetched(self._tools.fetcher, url)
            return position, each.url, await attempted(self._tools, url)


async def fetched(fetcher: Fetcher, url: str) -> str:
    """What the fetcher alone makes of a URL: the code of its failure, or "ok"."""
    try:
        await fetcher.fetch(parse(url), timeout=TIMEOUT)
    except InvalidUrl:
        return "invalid_url"
    except ItemFailed as failed:
        return failed.failure.code
    return "ok"


async def attempted(tools: Tools, url: str) -> str:
    """What becomes of an item: the code of its failure, or "ok"."""
    try:
        target = parse(url)
    except InvalidUrl:
        return "invalid_url"
    result = await settled(tools, target)
    return result.failure.code if result.failure else "ok"


async def settled(tools: Tools, target: Url) -> Attempt:
    """The attempt in which an item ends: it goes on wherever it is sent, as the engine would let it."""
    [result] = await attempt(target, tools, TIMEOUT, [Choices()])
    while result.moved:
        [result] = await attempt(result.moved, tools, TIMEOUT, [Choices()])
    return result


def responders(inputs: Sequence[Hostile]) -> dict[str, Responder]:
    """For an origin: /to/N redirects to input N, and so does the robots.txt of the host nN."""

    async def robots(exchange: Exchange) -> None:
        first = exchange.headers["host"].split(".")[0]
        number = int(first[1:]) if first[0] == "n" and first[1:].isdigit() else -1
        answer = redirect(inputs[number].url) if 0 <= number < len(inputs) else reply(b"none", 404)
        await answer(exchange)

    page = reply(b"<title>Here</title><p>This is the page that was asked for.", headers={"Content-Type": "text/html"})
    redirects = {f"/to/{n}": redirect(each.url) for n, each in enumerate(inputs) if each.fits_a_header}
    return {"/robots.txt": robots, "/": page, **redirects}


class Witness:
    """Hears of every connect and every lookup by the system's resolver in this process, whoever makes it."""

    def __init__(self) -> None:
        self._heard: list[tuple[str, Any]] | None = None
        sys.addaudithook(self._audit)

    @contextmanager
    def listening(self) -> Iterator[list[tuple[str, Any]]]:
        """What happens within the block: ("connect", (host, port)) and ("lookup", name)."""
        self._heard = heard = []
        try:
            yield heard
        finally:
            self._heard = None

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self._heard is None:
            return
        if event == "socket.connect" and args[0].family in (socket.AF_INET, socket.AF_INET6):
            self._heard.append(("connect", tuple(args[1][:2])))
        elif event == "socket.getaddrinfo":
            self._heard.append(("lookup", args[0]))
