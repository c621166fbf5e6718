"""`make demo`: it shows what it promises and leaves nothing, also when it is interrupted."""

import asyncio
import csv
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.serve.support import environment, processes_with

DEMO = Path(__file__).parents[2] / "demo"


@asynccontextmanager
async def running(room: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The demonstration, with its folder in the room. Settings of whoever runs it are none of its own."""
    env = environment(
        TMPDIR=str(room), COLUMNS="100", THRESHER_URL="http://127.0.0.1:9", DATABASE_URL="postgresql://no"
    )
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, str(DEMO / "demo.py"))
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def left_in(room: Path) -> tuple[list[Path], list[int]]:
    """Files and processes."""
    return list(room.iterdir()), processes_with(room.name)


async def test_the_demonstration_shows_every_fate_and_a_page_and_leaves_nothing(room: Path) -> None:
    async with running(room) as process:
        async with asyncio.timeout(100):
            out, _ = await process.communicate()
    shown = out.decode()
    assert process.returncode == 0, shown
    with (DEMO / "urls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = {
        row["custom_id"]: line
        for row in rows
        for line in shown.splitlines()
        if line.strip().startswith(row["custom_id"] + "  ")
    }
    fates = [("completed" if "completed" in lines[row["custom_id"]] else "failed") for row in rows]
    assert fates == ["completed"] * 14 + ["failed"] * 3
    for custom_id, code in zip(
        ("missing", "robots", "metadata"),
        ("http_4xx", "robots_disallowed", "blocked_address"),
        strict=True,
    ):
        assert lines[custom_id].rstrip().endswith(code)
    assert "Gasthaus zur Brücke" in lines["windows-1252"]
    assert "苔の庭の手入れ" in lines["japanese"]
    assert "## A light to peel potatoes by" in shown
    assert left_in(room) == ([], [])


async def test_an_interrupted_demonstration_leaves_nothing(room: Path) -> None:
    async with running(room) as process:
        assert process.stdout is not None
        async with asyncio.timeout(100):
            while b"17 items" not in await process.stdout.readline():
                assert process.returncode is None
            process.send_signal(signal.SIGINT)
            await process.communicate()
    assert process.returncode == 130
    assert left_in(room) == ([], [])
