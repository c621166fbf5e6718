"""The server that a command talks to: found by server.json, or one of its own that leaves nothing behind."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest
from tests.serve.support import environment, processes_with, until
from tests.serve.test_commands import Server

from thresher.cli import runfile
from thresher.cli.endpoint import Endpoint, endpoint, find_endpoint
from thresher.cli.errors import CommandError
from thresher.cli.stack import embedded_stack
from thresher.settings import Settings
from thresher.storage.embedded import DataDirInUse, EmbeddedPostgres

# A command that holds a server of its own until it is interrupted.
HOLDER = """
import asyncio, sys
from pathlib import Path
from thresher.cli import signals
from thresher.cli.endpoint import endpoint
from thresher.settings import Settings

async def main():
    async with endpoint(Settings(data_dir=Path(sys.argv[1]), workers=1)) as found:
        print(found.url, found.key, flush=True)
        await asyncio.Event().wait()

try:
    signals.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(environment()) | {"OLOSTEP_API_KEY"}:
        monkeypatch.delenv(name, raising=False)


def settings(room: Path, **more: object) -> Settings:
    return Settings(data_dir=room / "data", workers=1, **more)  # type: ignore[arg-type]


async def answer(server: Endpoint) -> int:
    """What the server says to the key: 404 if it is good, because there is no such batch."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {server.key}"}) as client:
        return (await client.get(f"{server.url}/v1/batches/batch_none")).status_code


async def stored_keys(data_dir: Path) -> list[str]:
    """The names of the keys in the database of a server that has stopped."""
    import asyncpg

    postgres = EmbeddedPostgres(data_dir)
    await postgres.start()
    try:
        connection = await asyncpg.connect(postgres.url)
        names = [row["name"] for row in await connection.fetch("SELECT name FROM thresher.api_key")]
        await connection.close()
    finally:
        await postgres.stop()
    return names


async def test_a_server_of_its_own_is_ready_silent_and_gone_afterwards(
    room: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with endpoint(settings(room)) as server:
        assert await answer(server) == 404
        async with endpoint(settings(room)) as second:
            assert second == server, "a second command uses the server of the first"
        with pytest.raises(DataDirInUse):
            async with embedded_stack(settings(room)):
                pass
    assert processes_with(room.name) == []
    assert not (room / "data" / "server.json").exists()
    assert await stored_keys(room / "data") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("line", ["initdb", "work"])
async def test_a_command_cancelled_while_its_server_starts_leaves_nothing(room: Path, line: str) -> None:
    task = asyncio.create_task(embedded_stack(settings(room)).__aenter__())
    await until(lambda: _runs(room, line), f"{line} to run")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes_with(room.name) == []
    assert not (room / "data" / "server.json").exists()


def _runs(room: Path, word: str) -> bool:
    for pid in processes_with(str(room / "data")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if word.encode() in words:
            return True
    return False


async def test_ctrl_c_in_a_terminal_reaches_the_command_alone_and_it_stops_everything(room: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, str(room / "data")),
        env=environment(),
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,  # as a terminal does with a job, whose group it then signals
    )
    assert holder.stdout is not None
    url, key = (await holder.stdout.readline()).decode().split()
    assert await answer(Endpoint(url, key)) == 404
    os.killpg(holder.pid, signal.SIGINT)
    assert await asyncio.wait_for(holder.communicate(), 60) == (b"", b"")
    assert holder.returncode == 130
    assert processes_with(room.name) == []
    assert not (room / "data" / "server.json").exists()
    assert "shut down" in (room / "data" / "log" / "postgres.log").read_text().splitlines()[-1], "in good order"


async def test_commands_that_begin_at_once_agree_on_one_server(room: Path) -> None:
    opened: list[Endpoint] = []
    everyone = asyncio.Event()

    async def command() -> None:
        async with endpoint(settings(room)) as server:
            opened.append(server)
            if len(opened) == 3:
                everyone.set()
            await everyone.wait()

    await asyncio.gather(*(command() for _ in range(3)))
    assert len(set(opened)) == 1


async def test_a_server_that_a_command_brought_stays_until_the_others_have_ended(room: Path) -> None:
    said: list[str] = []
    told, done = asyncio.Event(), asyncio.Event()

    def tell(sentence: str) -> None:
        said.append(sentence)
        told.set()

    async def first() -> None:
        async with endpoint(settings(room), tell) as server:
            opened.set_result(server)
            await done.wait()

    opened: asyncio.Future[Endpoint] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(first())
    server = await opened
    async with endpoint(settings(room)) as second:
        done.set()
        await told.wait()
        assert second == server
        assert await answer(second) == 404
    await task
    assert said == ["Another command uses this server: it stops when that one ends. Ctrl-C stops it now."]
    assert processes_with(room.name) == []


async def test_a_command_told_twice_to_stop_takes_its_server_from_the_others(room: Path) -> None:
    told = asyncio.Event()
    opened: asyncio.Future[Endpoint] = asyncio.get_running_loop().create_future()

    async def first() -> None:
        async with endpoint(settings(room), lambda _: told.set()) as server:
            opened.set_result(server)
            await asyncio.Event().wait()

    task = asyncio.create_task(first())
    await opened
    async with endpoint(settings(room)):
        task.cancel()
        await told.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert processes_with(room.name) == []


async def test_a_running_server_is_found_and_its_key_ends_with_it(room: Path) -> None:
    async with endpoint(settings(room)):
        pass
    with Server(room / "data") as server:
        await server.ready()
        assert server.said("Your API key, shown only now: thr_"), "what a command had before is nothing to an operator"
        found = await find_endpoint(settings(room))
        assert found is not None
        assert await answer(found) == 404
        server.process.send_signal(signal.SIGTERM)
        assert await server.ended() == 0
    assert await find_endpoint(settings(room)) is None
    assert await stored_keys(room / "data") == ["bootstrap"]


async def test_the_key_of_a_killed_server_is_deleted_by_the_next_start(room: Path) -> None:
    with Server(room / "data") as server:
        await server.ready()
        left = runfile.read(room / "data")
        server.process.kill()
        await server.ended()
    assert left is not None
    assert runfile.read(room / "data") == left
    assert await find_endpoint(settings(room)) is None
    async with endpoint(settings(room)) as own:
        assert await answer(own) == 404
        assert await answer(Endpoint(own.url, left.endpoint.key)) == 401
    assert await stored_keys(room / "data") == ["bootstrap"]


async def test_a_server_that_is_named_is_taken_as_it_is(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THRESHER_URL", "http://server.example:8080/v1/")
    with pytest.raises(CommandError) as refused:
        await find_endpoint(settings(room))
    assert refused.value.code == 4
    assert "THRESHER_API_KEY" in str(refused.value)
    monkeypatch.setenv("OLOSTEP_API_KEY", "thr_other")
    assert await find_endpoint(settings(room)) == Endpoint("http://server.example:8080", "thr_other")
    monkeypatch.setenv("THRESHER_API_KEY", "thr_ours")
    async with endpoint(settings(room)) as found:
        assert found == Endpoint("http://server.example:8080", "thr_ours")


@pytest.mark.parametrize("text", ["", "[]", '{"url": "http://127.0.0.1:1"}', '{"url": 1, "key": 2, "pid": "x"}'])
async def test_a_server_json_that_cannot_be_understood_names_no_server(room: Path, text: str) -> None:
    (room / "data").mkdir()
    (room / "data" / "server.json").write_text(text)
    assert await find_endpoint(settings(room)) is None


async def test_a_server_json_of_a_process_that_lives_but_serves_nothing_names_no_server(room: Path) -> None:
    (room / "data").mkdir()
    note = {"url": "http://127.0.0.1:1", "key": "thr_x", "pid": os.getpid(), "started": ""}
    (room / "data" / "server.json").write_text(json.dumps(note))
    assert await find_endpoint(settings(room)) is None
