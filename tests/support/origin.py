"""A real web on loopback: one server that answers for every host name, and remembers what it was asked.

Thresher reaches it through THRESHER_CONNECT_TO. The path says how to answer; the host name is free.
"""

import asyncio
import gzip
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page {token}</title></head>
<body><nav><a href="/">Home</a></nav><main><h1>Page {token}</h1><p>The token is <b>{token}</b>.</p>
<ul><li><a href="/next/{token}">Next</a></li></ul></main></body></html>"""


class Origin:
    """`async with Origin() as origin`. Paths:

    /page/X a page with the token X; /slow/S/X the same after S seconds; /hold/X the same once `release` is set;
    /status/N/X answers N; /busy/S/X answers 429 with Retry-After: S; /flaky/N/X answers 503 N times, then the page;
    /redirect/N/X N redirects, then the page; /to/HOST/... a redirect to the rest at that host; /circle/A/B one from either
    host to the other; /tagged/X the page with an ETag and when it was modified, or 304 to whoever has it; /gzip/X the page compressed; /binary/X a picture; anything else: 404.
    """

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.asked: list[tuple[str, str]] = []  # (host, path) in the order of arrival, robots.txt left out
        self.now: Counter[str] = Counter()  # requests under way, by host
        self.most: Counter[str] = Counter()  # the most at one time, by host
        self.crowd: dict[str, list[int]] = {}  # how many were under way with each that came, by host
        self.times: dict[str, list[float]] = {}  # when each came, by host
        self.arrived = asyncio.Condition()
        self.languages: dict[str, str] = {}  # what came as Accept-Language, by path; robots.txt too
        self.version = 1  # of tagged pages
        self.conditional: list[tuple[str, str]] = []  # (path, If-None-Match) in the order of arrival
        self.headers: list[tuple[str, str, Mapping[str, str]]] = []  # that came, with host and path; robots.txt too
        self.robots: dict[str, str] = {}
        self.robots_busy: dict[str, str] = {}  # hosts that answer 429 to robots.txt, with this Retry-After
        self._failed: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._hear])
        app.router.add_get("/robots.txt", self._robots_txt)
        app.router.add_get("/{kind}/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """Settings under which every host name leads here."""
        return {"THRESHER_CONNECT_TO": f"*:80=127.0.0.1:{self.port}", "THRESHER_FETCH_ALLOW": "127.0.0.0/8"}

    async def wait_for(self, requests: int) -> None:
        """Until so many requests have arrived."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.asked) >= requests)

    @web.middleware
    async def _hear(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.headers.append((request.host, request.path, request.headers))
        if language := request.headers.get("Accept-Language"):
            self.languages[request.path] = language
        return await handler(request)

    async def _robots_txt(self, request: web.Request) -> web.Response:
        if request.host in self.robots_busy:
            return web.Response(status=429, headers={"Retry-After": self.robots_busy[request.host]})
        text = self.robots.get(request.host)
        return web.Response(text=text) if text is not None else web.Response(status=404)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        host, known = request.host, request.headers.get("If-None-Match")
        if known is not None:
            self.conditional.append((request.path, known))
        async with self.arrived:
            self.asked.append((host, request.path))
            self.arrived.notify_all()
        self.now[host] += 1
        self.most[host] = max(self.most[host], self.now[host])
        self.crowd.setdefault(host, []).append(self.now[host])
        self.times.setdefault(host, []).append(asyncio.get_running_loop().time())
        try:
            kind, rest = request.match_info["kind"], request.match_info["rest"].split("/")
            if kind == "tagged":
                return _tagged(rest[-1], f'"{self.version}-{rest[-1]}"', known)
            return await self._by_kind(kind, rest, host)
        finally:
            self.now[host] -= 1

    async def _by_kind(self, kind: str, rest: list[str], host: str) -> web.StreamResponse:
        token = rest[-1]
        match kind:
            case "page":
                return _page(token)
            case "slow":
                await asyncio.sleep(float(rest[0]))
                return _page(token)
            case "hold":
                await self.release.wait()
                return _page(token)
            case "status":
                return web.Response(status=int(rest[0]), text="no")
            case "busy":
                return web.Response(status=429, headers={"Retry-After": rest[0]})
            case "flaky":
                self._failed[f"{host}/{token}"] += 1
                return web.Response(status=503) if self._failed[f"{host}/{token}"] <= int(rest[0]) else _page(token)
            case "redirect":
                left = int(rest[0])
                target = f"/redirect/{left - 1}/{token}" if left > 1 else f"/page/{token}"
                return web.Response(status=302, headers={"Location": target})
            case "to":
                return web.Response(status=302, headers={"Location": f"http://{rest[0]}/{'/'.join(rest[1:])}"})
            case "circle":
                other = rest[0] if host == rest[1] else rest[1]
                return web.Response(status=301, headers={"Location": f"http://{other}/circle/{rest[0]}/{rest[1]}"})
            case "gzip":
                body = gzip.compress(PAGE.format(token=token).encode())
                return web.Response(body=body, headers={"Content-Type": "text/html", "Content-Encoding": "gzip"})
            case "binary":
                return web.Response(body=b"\x89PNG\r\n\x1a\n\0\0\0", content_type="image/png")
        return web.Response(status=404)


def _page(token: str) -> web.Response:
    return web.Response(text=PAGE.format(token=token), content_type="text/html")


def _tagged(token: str, tag: str, known: str | None) -> web.Response:
    headers = {"ETag": tag, "Last-Modified": "Sun, 01 Nov 2026 00:00:00 GMT"}
    if known == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(text=PAGE.format(token=token), content_type="text/html", headers=headers)
