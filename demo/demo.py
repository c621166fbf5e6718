"""`make demo`: Thresher on a small web of its own, from nothing to a table of results, and nothing left behind.

It runs the command that a person would run. Only the settings make the pretended host names lead to demo/origin.py.
"""

import asyncio
import csv
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from origin import Site
from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

HERE = Path(__file__).parent
SHOWN = "article"  # the item whose markdown is printed
SOME_FAILED = 3  # the exit code of `thresher batch`: some pages here fail on purpose
NEXT = """
The last four failed on purpose, each for its own reason; docs/failures.md has the remedies.
With pages and documents of yours, one URL a line or a file in and one JSON object a line out:

  [bold].venv/bin/thresher batch urls.txt -o out.jsonl[/]
  [bold].venv/bin/thresher batch *.pdf -o out.jsonl[/]

A server that stays, with an API for programs:

  [bold]make run[/]
"""

console = Console(highlight=False, soft_wrap=False)


async def demo(folder: Path) -> int:
    """Everything, with its data in the folder; to the exit code."""
    out = folder / "out.jsonl"
    async with Site() as site:
        console.print(f"[dim]A small web is served on 127.0.0.1:{site.port}, for the host names in demo/urls.csv.[/]\n")
        console.print("[bold]$ thresher batch demo/urls.csv -o out.jsonl[/]")
        code = await thresher(folder, settings(folder, site.port), "batch", str(HERE / "urls.csv"), "-o", out.name)
    if code not in (0, SOME_FAILED):
        return code
    rows = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    console.print(table(rows))
    console.print(page(next(row for row in rows if row["custom_id"] == SHOWN)))
    console.print(NEXT)
    return 0


def settings(folder: Path, port: int) -> dict[str, str]:
    """What makes the names lead to the site, and lets pages be fetched from loopback, which is private."""
    with (HERE / "urls.csv").open(newline="") as file:
        hosts = {urlsplit(row["url"]).hostname or "" for row in csv.DictReader(file)}
    routes = [f"{host}:80=127.0.0.1:{port}" for host in sorted(hosts) if host.endswith(".example")]
    return {
        "THRESHER_DATA_DIR": str(folder / "data"),
        "THRESHER_CONNECT_TO": ",".join(routes),
        "THRESHER_FETCH_ALLOW": "127.0.0.0/8",
    }


async def thresher(folder: Path, env: dict[str, str], *words: str) -> int:
    """Run `thresher` in the folder, with nothing of the caller's own settings, to its exit code. It is told of every signal."""
    mine = {k: v for k, v in os.environ.items() if k != "DATABASE_URL" and not k.startswith("THRESHER_")}
    # A group of its own: the terminal's Ctrl-C reaches it through us, and once.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "thresher.cli.main",
        *words,
        env=mine | env,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        process_group=0,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(
            number, lambda number=number: process.returncode is None and process.send_signal(number)
        )
    try:
        return await process.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def table(rows: list[dict[str, Any]]) -> Table:
    """What has become of each item, in the order in which they were submitted."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    shown.add_column("custom_id", no_wrap=True)
    shown.add_column("url", no_wrap=True)
    shown.add_column("status", no_wrap=True)
    shown.add_column("http", no_wrap=True, justify="right")
    shown.add_column("title or error", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        error = row["error"]
        shown.add_row(
            row["custom_id"],
            Text(row.get("name") or row["url"].removeprefix("http://"), "dim"),
            Text(row["status"], "red" if error else "green"),
            str(row["http_status"] or ""),
            Text(error["code"], "red") if error else Text(row["title"] or ""),
        )
    return shown


def page(row: dict[str, Any]) -> Panel:
    """The markdown of one item, as it is in the file."""
    return Panel(Text(row["markdown"].strip()), title=f"markdown of {row['url']}", box=ROUNDED, padding=(0, 1))


def main() -> int:
    """The demonstration in a folder that is gone afterwards."""
    begin = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="thresher-demo-") as folder:
            code = asyncio.run(demo(Path(folder)))
    except KeyboardInterrupt:
        code = 130
    console.print(f"\n[dim]Everything is stopped and removed, {time.monotonic() - begin:.0f} s after the start.[/]")
    return code


if __name__ == "__main__":
    sys.exit(main())
