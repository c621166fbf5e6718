"""A server that is killed under a command: gone on with when it is back, and said how to when it is not."""

from pathlib import Path

import pytest
from tests.acceptance.served import Served
from tests.cli.kit import Cli, rows_of, until
from tests.support.origin import Origin

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_server_killed_and_started_again_loses_a_waiting_command_nothing(
    room: Path, origin: Origin, tmp_path: Path
) -> None:
    server = Served(room / "data", origin.environment)
    await server.start()
    try:
        given = [f"http://site{n % 5}.example/page/{n}" for n in range(50)] + ["http://held.example/hold/x"]
        cli = Cli(tmp_path, THRESHER_DATA_DIR=str(room / "data"))
        async with cli.running("batch", cli.write("urls.txt", given), "-o", "out.jsonl") as command:
            await until(lambda: origin.now["held.example"] == 1)
            await server.kill_everything()
            await command.said("does not answer")
            origin.release.set()
            await server.start()
            ended = await command.ended()
        assert ended.code == 0, ended.err
        assert "The server is back." in ended.err
        assert [row["url"] for row in rows_of(tmp_path / "out.jsonl")] == given

        origin.release.clear()
        words = ("batch", "http://held.example/hold/y", "-o", "late.jsonl")
        async with cli.running(*words, THRESHER_CLIENT_PATIENCE="1") as command:
            await until(lambda: origin.now["held.example"] == 1)
            await server.kill_everything()
            ended = await command.ended()
        assert ended.code == 1
        assert "does not answer" in ended.err
        assert cli.onward(ended.err)[0] == "results"
        assert not (tmp_path / "late.jsonl").exists()
    finally:
        origin.release.set()
        await server.stop()
        await server.http.aclose()
        origin.release.clear()
