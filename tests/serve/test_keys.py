"""`thresher keys`, on a database that somebody runs, and on one that nobody runs."""

import asyncio
import json
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.serve.support import processes_with
from tests.serve.test_commands import Server, run
from typer.testing import CliRunner

from thresher.cli.main import app as commands


async def keys(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(run, "keys", *arguments, **env)


async def status(url: str, key: str) -> int:
    """404 for a good key, because there is no such batch; 401 for another."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as client:
        return (await client.get(f"{url}/v1/batches/batch_none")).status_code


async def test_beside_a_running_server_a_key_works_at_once_and_stops_when_it_is_revoked(room: Path) -> None:
    place = ("--data-dir", str(room / "data"))
    with Server(room / "data") as server:
        url = await server.ready()
        made = await keys("create", "--name", "crawler", "--expires", "30d", *place)
        assert re.fullmatch(r"thr_[a-z0-9]{40}\n", made.stdout), made
        key = made.stdout.strip()
        assert key not in made.stderr
        assert await status(url, key) == 404

        listed = json.loads((await keys("list", "--json", *place)).stdout)
        assert [each["name"] for each in listed] == ["bootstrap", "crawler"]
        assert listed[1]["expires"] - listed[1]["created"] == 30 * 86_400
        everything = json.loads((await keys("list", "--all", "--json", *place)).stdout)
        assert sorted(each["name"] for each in everything) == ["bootstrap", "crawler", "local commands"]

        revoked = await keys("revoke", listed[1]["id"], "--json", *place)
        assert json.loads(revoked.stdout)["revoked"] >= listed[1]["created"]
        async with asyncio.timeout(30):  # the server remembers a key for a few seconds
            while await status(url, key) != 401:
                await asyncio.sleep(0.05)
        assert (await keys("revoke", "00000000", *place)).returncode == 5

        server.process.send_signal(signal.SIGTERM)
        assert await server.ended() == 0, server.output.read_text()


async def test_without_a_server_the_database_is_started_for_the_moment(room: Path) -> None:
    place = ("--data-dir", str(room / "data"))
    nothing = await keys("list", *place)
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert f"there is no database in {room / 'data'}" in nothing.stderr
    assert not (room / "data").exists()

    made = await keys("create", "--name", "[red] first", "--json", *place)
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)
    assert key["expires"] is None
    shown = await keys("list", *place)
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["id", key["id"]]
    assert "[red] first" in shown.stdout
    assert key["key"] not in shown.stdout + shown.stderr
    assert processes_with(room.name) == []

    with Server(room / "data") as server:
        url = await server.ready()
        assert not server.said("API key"), "there is one already"
        assert await status(url, key["key"]) == 404
        server.process.send_signal(signal.SIGTERM)
        await server.ended()


async def test_a_database_of_the_operators_own_is_used_where_there_is_one(database_url: str, room: Path) -> None:
    env = {"DATABASE_URL": database_url, "THRESHER_DATA_DIR": str(room / "data")}
    assert (await asyncio.to_thread(run, "migrate", **env)).returncode == 0
    made = json.loads((await keys("create", "--json", **env)).stdout)
    listed = json.loads((await keys("list", "--json", **env)).stdout)
    assert [key["name"] for key in listed] == ["bootstrap", "key"]
    assert listed[1]["id"] == made["id"]
    assert not (room / "data").exists()


@pytest.mark.parametrize(
    "arguments",
    [("--expires", "1y"), ("--expires", "0d"), ("--expires", "99999999w"), ("--name", ""), ("--name", "a\nb")],
)
def test_what_makes_no_sense_is_refused_before_anything_is_started(room: Path, arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(commands, ["keys", "create", *arguments, "--data-dir", str(room / "data")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert arguments[0] in result.stderr
    assert not (room / "data").exists()
