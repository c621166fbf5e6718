"""`thresher batch` on a machine where no server runs: it brings its own, and leaves nothing but the data."""

from pathlib import Path

import pytest
from tests.cli.kit import Cli, rows_of, until
from tests.serve.support import processes_with
from tests.support.origin import Origin

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def alone(room: Path, origin: Origin) -> Cli:
    """Somebody with a data dir of their own, and no server."""
    return Cli(room, THRESHER_DATA_DIR=str(room / "data"), THRESHER_WORKERS="1", **origin.environment)


async def test_a_batch_runs_on_a_fresh_machine_is_gone_on_with_after_ctrl_c_and_leaves_no_process(
    alone: Cli, room: Path, origin: Origin
) -> None:
    given = ["http://a.example/page/1", "http://b.example/hold/x", "http://a.example/status/404/y"]
    async with alone.running("batch", alone.write("urls.txt", given), "-o", "out.jsonl") as command:
        await until(lambda: origin.now["b.example"] == 1)
        command.signal()
        ended = await command.ended()
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert f"No server runs on {room / 'data'}" in ended.err
    assert processes_with(room.name) == []
    origin.release.set()
    again = await alone.run(*alone.onward(ended.err))
    origin.release.clear()
    assert again.code == 3, again.err
    assert [row["url"] for row in rows_of(room / "out.jsonl")] == given
    assert [row["status"] for row in rows_of(room / "out.jsonl")] == ["completed", "completed", "failed"]
    assert processes_with(room.name) == []
    # Nothing but what was meant for people was said: the server's own words are in its log.
    assert len(again.err.splitlines()) <= 4, again.err
