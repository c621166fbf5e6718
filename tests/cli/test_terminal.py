"""On a terminal there is a bar, which leaves nothing but the last word; elsewhere there are lines."""

import asyncio
import contextlib
import json
import os
import pty
import re
import sys

import orjson
import pytest
from tests.cli.kit import COMMAND, Cli, until
from tests.serve.support import environment
from tests.support.origin import Origin

from thresher.cli.terminal import harmless_json

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def started_on_a_terminal(cli: Cli, columns: int, *words: str) -> tuple[asyncio.subprocess.Process, int]:
    """A command, and the descriptor where all that it shows can be read, and which is to be closed."""
    mine, its = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        env=environment(**cli.env, TERM="xterm-256color", COLUMNS=str(columns)),
        cwd=cli.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    return process, mine


async def test_a_terminal_shows_a_bar_with_count_rate_and_failures(cli: Cli, origin: Origin) -> None:
    pages = [f"http://site{n % 7}.example/page/{n}" for n in range(30)]
    given = [*pages, "http://a.example/status/404/x", "http://held.example/hold/x"]
    process, mine = await started_on_a_terminal(cli, 100, "batch", *given, "-o", "out.jsonl")
    os.set_blocking(mine, False)
    seen = bytearray()

    def shown(pattern: str) -> bool:
        with contextlib.suppress(OSError):  # nothing yet, or nobody any more
            seen.extend(os.read(mine, 65536))
        return re.search(pattern, plain(seen)) is not None

    try:
        await until(lambda: shown(r"Fetching +[━╸╺]+ +31/32 .*/s.* 1 failed"))
        origin.release.set()
        async with asyncio.timeout(60):
            assert await process.wait() == 3
        shown("")
    finally:
        origin.release.clear()
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(mine)
    last = plain(seen).rstrip().splitlines()[-1]
    assert last.startswith("32 items: 31 completed, 1 failed in ")
    assert seen.count(b"\x1b[?25l") == seen.count(b"\x1b[?25h")  # the cursor is given back


def plain(text: bytearray) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode("utf-8", "replace"))


HOSTILE = "a\x1b]0;mine\x07\x9b31m[bold]\nb\tc\x7f"


async def test_what_others_have_written_cannot_steer_the_terminal(cli: Cli) -> None:
    """A batch's name here; pages' titles and texts come to a terminal as the same JSON strings."""
    made = await cli.run("batch", "http://a.example/page/1", "--name", HOSTILE, "--no-wait")
    batch = made.out.strip()
    for words in (("list",), ("status", batch), ("list", "--json"), ("status", "none \x1b[31m.txt")):
        seen = await on_a_terminal(cli, *words)
        own = plain(seen).replace("\r\n", "\n")  # without the colours of our own
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", own), (words, own)
    assert r"a\x1b]0;mine\x07\x9b31m[bold]\nb\tc\x7f" in plain(await on_a_terminal(cli, "list"))
    (view,) = json.loads((await cli.run("list", "--limit", "1", "--json")).out)["data"]
    assert view["metadata"]["name"] == HOSTILE


async def test_json_without_control_characters_means_the_same() -> None:
    value = {"title": HOSTILE + "\u00e9\u0080\u0099\u00a0\U0001f600"}
    made = harmless_json(orjson.dumps(value))
    assert orjson.loads(made) == value
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", made.decode())


async def on_a_terminal(cli: Cli, *words: str) -> bytearray:
    """All that a command shows there."""
    process, mine = await started_on_a_terminal(cli, 160, *words)
    seen = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while piece := os.read(mine, 65536):
                seen.extend(piece)

    try:
        await asyncio.wait_for(asyncio.gather(process.wait(), asyncio.to_thread(read)), 60)
    finally:
        os.close(mine)
    return seen


async def test_a_log_gets_whole_lines(cli: Cli) -> None:
    ended = await cli.run("batch", "http://a.example/page/1", "-o", "out.jsonl")
    assert "\x1b" not in ended.err
    assert "\r" not in ended.err
    assert [line.split()[0] for line in ended.err.splitlines()] == [ended.err.split(":")[0] + ":", "1"]


async def test_the_memory_of_a_command_does_not_grow_with_its_batch(cli: Cli) -> None:
    peaks = []
    for count in (10_000, 40_000):
        cli.write("urls.txt", [f"http://site{n % 50}.example/never/{n}" for n in range(count)])
        peaks.append(await peak(cli, "batch", "urls.txt", "-o", "out.jsonl", "--timeout", "0.1"))
        with (cli.folder / "out.jsonl").open() as file:
            assert sum(1 for _ in file) == count
    assert peaks[1] < peaks[0] * 1.1, peaks


PEAK = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


async def peak(cli: Cli, *words: str) -> int:
    """The most memory that a command had, in KiB; it must end by its deadline."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PEAK,
        *COMMAND,
        *words,
        env=environment(**cli.env),
        cwd=cli.folder,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    code, most = out.decode().split()
    assert code == "6"
    return int(most)
