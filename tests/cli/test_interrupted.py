"""Whatever a command is interrupted by, and wherever: what it says to go on with gives a complete file, without doubles."""

import array
import fcntl
import json
import os
import signal
import termios
from typing import Any

import pytest
from tests.acceptance.served import Served
from tests.cli.kit import PIPE, Cli, rows_of, until
from tests.cli.proxy import CuttingProxy
from tests.support.origin import Origin

pytestmark = pytest.mark.asyncio(loop_scope="session")


def urls(count: int) -> list[str]:
    return [f"http://site{n % 7}.example/page/{n}" for n in range(count)]


async def test_a_command_stopped_while_it_sends_goes_on_behind_what_has_arrived(cli: Cli, server: Served) -> None:
    given = urls(5_003)
    async with cli.running("batch", "-", "-o", "out.jsonl", "--timeout", "300", stdin=PIPE) as command:
        assert command.process.stdin is not None
        command.process.stdin.write("".join(url + "\n" for url in given[:5_001]).encode())
        await command.process.stdin.drain()  # the first slice is full; the next never comes

        async def appended() -> int:
            (view,) = (await server.http.get("/v1/batches/recent?limit=1")).json()["data"]
            return int(view["total_urls"]) if view["state"] == "open" else 0

        while await appended() != 5_000:
            assert command.process.returncode is None
        command.signal()
        ended = await command.ended()
    assert (ended.code, ended.out) == (130, "")
    words = cli.onward(ended.err)
    assert words[:2] == ["batch", "-"]
    again = await cli.run(*words, "--no-wait", given="".join(url + "\n" for url in given))
    assert again.code == 0, again.err
    await server.http.post(f"/v1/batches/{again.out.strip()}/cancel")
    assert (await server.until_completed(again.out.strip()))["total_urls"] == 5_003
    last = await server.http.get(f"/v1/batches/{again.out.strip()}/export?order=submitted&cursor=4999")
    assert [json.loads(line)["url"] for line in last.text.splitlines()] == given[4_999:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_command_stopped_while_it_waits_goes_on_waiting(cli: Cli, origin: Origin, number: Any) -> None:
    given = [*urls(3), f"http://held.example/hold/{number}", *urls(2)]
    async with cli.running("batch", *given, "-o", "out.jsonl", "--format", "text") as command:
        await until(lambda: origin.now["held.example"] == 1)
        command.signal(number)
        ended = await command.ended()
    assert (ended.code, ended.out) == (130, "")
    assert "Nothing is lost" in ended.err
    assert list(cli.folder.iterdir()) == []
    origin.release.set()
    words = cli.onward(ended.err)
    assert words[0] == "results"
    again = await cli.run(*words)
    origin.release.clear()
    assert again.code == 0, again.err
    rows = rows_of(cli.folder / "out.jsonl")
    assert [row["url"] for row in rows] == given
    assert all("text" in row for row in rows)


def in_pipe(end: int) -> int:
    """How many bytes nobody has read yet."""
    waiting = array.array("i", [0])
    fcntl.ioctl(end, termios.FIONREAD, waiting)
    return waiting[0]


async def test_a_command_stopped_while_it_writes_writes_everything_the_next_time(cli: Cli) -> None:
    given = urls(200)  # more than a pipe holds
    os.mkfifo(cli.folder / "pipe")
    async with cli.running("batch", *given, "--format", "html", "-o", "pipe") as command:
        end = os.open(cli.folder / "pipe", os.O_RDONLY)  # opened and not read: the command is stuck in the write
        try:
            await until(lambda: in_pipe(end) >= 60_000)
            command.signal()
            ended = await command.ended()
        finally:
            os.close(end)
    assert ended.code == 130
    (cli.folder / "pipe").unlink()
    again = await cli.run(*cli.onward(ended.err))
    assert again.code == 0, again.err
    assert [row["url"] for row in rows_of(cli.folder / "pipe")] == given


async def test_answers_that_break_off_lose_and_double_nothing(cli: Cli, server: Served) -> None:
    given = urls(40)
    cuts = {"POST /v1/batches HTTP": 0, "/items": 0, "/start": 10, "/export": 20_000}
    async with CuttingProxy(server.url, cuts) as proxy:
        command = ("batch", cli.write("urls.txt", given), "-o", "out.jsonl", "--metadata", "test=cuts")
        ended = await cli.run(*command, THRESHER_URL=proxy.url)
        assert proxy.cut == dict.fromkeys(cuts, 1)
    assert ended.code == 0, ended.err
    assert [row["url"] for row in rows_of(cli.folder / "out.jsonl")] == given
    listed = (await server.http.get("/v1/batches/recent?source=cli")).json()["data"]
    assert [batch["metadata"] for batch in listed].count({"test": "cuts"}) == 1


async def test_a_stream_that_breaks_off_goes_on_where_it_was(cli: Cli, server: Served) -> None:
    given = urls(40)
    async with CuttingProxy(server.url, {"/export": 5_000}) as proxy:
        ended = await cli.run("batch", *given, "--stream", THRESHER_URL=proxy.url)
    assert ended.code == 0, ended.err
    assert sorted(row["url"] for row in ended.rows) == sorted(given)
