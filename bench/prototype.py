"""The ceiling: the same job with nothing around it. `python -m bench.prototype URLS FOLDER [PROCESSES]`.

aiohttp, isal, turbohtml, a zstd pack with an fsync per 64 pages, and one SQLite row a page, in one loop a core. No
robots.txt, no guard, no retries, no caps, no sandbox, no API: what those cost is the distance to it.
"""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson
import turbohtml
import uvloop
import zstandard
from isal import isal_zlib

from bench import peer

PROCESSES = 2
_PER_HOST = 4
_FLUSH = 64
_GZIP = 31  # window bits of zlib for a gzip stream


class Store:
    """A pack and a table, made durable together every 64 pages."""

    def __init__(self, folder: Path) -> None:
        self._pack = (folder / f"{os.getpid()}.pack").open("wb")
        self._table = sqlite3.connect(folder / f"{os.getpid()}.sqlite", isolation_level=None)
        self._table.execute("PRAGMA journal_mode = wal")
        self._table.execute("PRAGMA synchronous = full")
        self._table.execute("CREATE TABLE page (url TEXT, status INT, title TEXT, off INT, body INT, made INT)")
        self._rows: list[tuple[object, ...]] = []
        self._offset = 0
        self._compressor = zstandard.ZstdCompressor(level=3)

    def add(self, url: str, status: int, title: str | None, body: bytes, made: bytes) -> None:
        packed = self._compressor.compress(made)
        self._pack.write(body)
        self._pack.write(packed)
        self._rows.append((url, status, title, self._offset, len(body), len(packed)))
        self._offset += len(body) + len(packed)
        if len(self._rows) == _FLUSH:
            self.flush()

    def flush(self) -> None:
        self._pack.flush()
        os.fsync(self._pack.fileno())
        self._table.execute("BEGIN")
        self._table.executemany("INSERT INTO page VALUES (?, ?, ?, ?, ?, ?)", self._rows)
        self._table.execute("COMMIT")
        self._rows.clear()


def convert(url: str, html: bytes) -> tuple[str | None, bytes]:
    """The title, and markdown and links as JSON."""
    page = turbohtml.parse(html, positions=False)
    page.resolve_links(url)
    links = list(dict.fromkeys(href for element in page.iter_elements(("a", "area")) if (href := element.attr("href"))))
    title = page.select_one("title")
    return title.text if title else None, orjson.dumps({"markdown": page.to_markdown(), "links": links})


async def fetch_all(urls: list[str], store: Store) -> None:
    by_host: dict[str, list[str]] = {}
    for url in urls:
        by_host.setdefault(urlsplit(url).netloc, []).append(url)
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=_PER_HOST)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def serve(todo: list[str]) -> None:
            while todo:
                url = todo.pop()
                async with session.get(url, headers={"Accept-Encoding": "gzip"}) as response:
                    body = await response.read()
                html = isal_zlib.decompress(body, _GZIP) if "Content-Encoding" in response.headers else body
                title, made = convert(url, html)
                store.add(url, response.status, title, body, made)

        async with asyncio.TaskGroup() as group:
            for todo in by_host.values():
                for _ in range(_PER_HOST):
                    group.create_task(serve(todo))
    store.flush()


def read(folder: Path) -> dict[str, str]:
    """What was stored: URL to markdown."""
    found = {}
    for table in folder.glob("*.sqlite"):
        with table.with_suffix(".pack").open("rb") as pack:
            for url, off, body, made in sqlite3.connect(table).execute("SELECT url, off, body, made FROM page"):
                pack.seek(off + body)
                found[url] = orjson.loads(zstandard.decompress(pack.read(made)))["markdown"]
    return found


def main() -> None:
    urls, folder = Path(sys.argv[1]).read_text().split(), Path(sys.argv[2])
    share = [int(number) for number in sys.argv[3:5]]
    if not share:  # the parent of one process a core
        _lead(folder)
        return
    hosts = sorted({urlsplit(url).netloc for url in urls})
    mine = set(hosts[share[0] :: share[1]])
    store = Store(folder)
    with peer.at_work():
        uvloop.run(fetch_all([url for url in urls if urlsplit(url).netloc in mine], store))


def _lead(folder: Path) -> None:
    command = [sys.executable, "-m", "bench.prototype", sys.argv[1], str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen([*command, str(n), str(PROCESSES)], **pipes) for n in range(PROCESSES)]  # type: ignore[call-overload]
    peers = [peer.Peer(child) for child in children]
    for one in peers:
        one.expect("ready")
    with peer.at_work():
        for one in peers:
            one.begin()
        for one in peers:
            one.expect("done")
    for child in children:
        child.communicate()


if __name__ == "__main__":
    main()
