"""A small web for the demonstration: a dozen pages, each different from the others, behind one port of loopback.

Every host name leads here (THRESHER_CONNECT_TO). The texts were written for this purpose.
"""

import asyncio
import gzip
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

PAGES = Path(__file__).parent / "pages"
SLOW_SECONDS = 2.0

# Where a page is no file of ../pages sent as UTF-8 HTML.
TYPES = {".txt": "text/plain", ".json": "application/json", ".pdf": "application/pdf"}
CHARSETS = {"inn.html": "windows-1252"}


class Site:
    """`async with Site() as site`; it answers on 127.0.0.1, port `site.port`."""

    def __init__(self) -> None:
        self.port = 0
        self._visits = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/robots.txt", self._robots)
        app.router.add_get("/slow", self._slow)
        app.router.add_get("/gzip", self._gzip)
        app.router.add_get("/moved", self._moved)
        app.router.add_get("/flaky", self._flaky)
        app.router.add_get("/{name}", self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _robots(self, request: web.Request) -> web.Response:
        private = request.host == "private.example"
        return web.Response(text="User-agent: *\nDisallow: /\n" if private else "User-agent: *\nAllow: /\n")

    async def _slow(self, request: web.Request) -> web.Response:
        await asyncio.sleep(SLOW_SECONDS)
        return _page("slow.html")

    async def _gzip(self, request: web.Request) -> web.Response:
        page = _page("compressed.html")
        page.body = gzip.compress(bytes(page.body or b""))  # type: ignore[arg-type]
        page.headers["Content-Encoding"] = "gzip"
        return page

    async def _moved(self, request: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "http://news.example/lighthouse"})

    async def _flaky(self, request: web.Request) -> web.Response:
        self._visits += 1
        return web.Response(status=503, text="Back in a moment.") if self._visits == 1 else _page("flaky.html")

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        known = {path.name for path in PAGES.iterdir()}
        for candidate in (name, f"{name}.html"):
            if candidate in known:
                return _page(candidate)
        return web.Response(status=404, text="Nothing here.")


def _page(name: str) -> web.Response:
    charset = CHARSETS.get(name, "utf-8")
    kind = TYPES.get(Path(name).suffix, "text/html")
    body = (PAGES / name).read_bytes()
    if kind == "application/pdf":
        return web.Response(body=body, content_type=kind)
    return web.Response(body=body.decode().encode(charset), content_type=kind, charset=charset)
