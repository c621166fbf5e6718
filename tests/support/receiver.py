"""A receiver of webhooks on loopback, which remembers what came and answers as it is told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web

Answer = Callable[[int], web.StreamResponse]  # what the nth request (from 1) of a path is answered


@dataclass(frozen=True, slots=True)
class Came:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found


class Receiver:
    """`async with Receiver() as receiver`. Answers 200 "ok" under every path but those in `answers`; /hang never answers."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.answers: dict[str, Answer] = {}
        self.arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, path: str) -> str:
        """The URL of a path here."""
        return f"http://127.0.0.1:{self.port}{path}"

    def of(self, path: str) -> list[Came]:
        """What came to a path."""
        return [one for one in self.came if one.path == path]

    async def wait_for(self, path: str, requests: int) -> list[Came]:
        """What came to a path, once it is so many requests."""
        async with asyncio.timeout(30), self.arrived:
            await self.arrived.wait_for(lambda: len(self.of(path)) >= requests)
        return self.of(path)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with self.arrived:
            self.came.append(Came(request.path, dict(request.headers), body))
            self.arrived.notify_all()
        if request.path == "/hang":
            await asyncio.Event().wait()
        answer = self.answers.get(request.path, lambda _: web.Response(text="ok"))
        return answer(len(self.of(request.path)))
