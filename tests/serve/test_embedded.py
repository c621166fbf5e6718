"""The embedded PostgreSQL as a real server: its life, its neighbours, its crashes."""

import asyncio
import os
import pwd
import signal
import stat
import sys
from pathlib import Path

import asyncpg
import pytest
from tests.serve.support import BOUND, alive, as_ordinary_user, environment, processes_with, status_of, until

from thresher.storage.embedded import DataDir, EmbeddedError, EmbeddedPostgres, binaries, socketdir

LIFE = """
import asyncio, os, sys, asyncpg
from pathlib import Path
from thresher.storage.embedded import EmbeddedPostgres

async def main():
    postgres = EmbeddedPostgres(Path(sys.argv[1]))
    await postgres.start()
    connection = await asyncpg.connect(postgres.url)
    print(os.geteuid(), await connection.fetchval("SELECT current_user"))
    await connection.close()
    await postgres.stop()

os.umask(0o077)
asyncio.run(main())
"""

HOLDER = """
import asyncio, os, sys
from pathlib import Path
from thresher.storage.embedded import EmbeddedPostgres

async def main():
    postgres = EmbeddedPostgres(Path(sys.argv[1]))
    await postgres.start()
    print(postgres.process.pid, flush=True)
    await asyncio.Event().wait()

os.umask(0o077)
asyncio.run(main())
"""


async def ask(postgres: EmbeddedPostgres, question: str) -> object:
    connection = await asyncpg.connect(postgres.url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def run_holder(data_dir: Path) -> tuple[asyncio.subprocess.Process, int]:
    """Another process that runs the database; returns it and the postmaster's pid."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(data_dir), env=environment(), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    return holder, int(await holder.stdout.readline())


async def test_it_starts_in_a_closed_folder_keeps_what_is_written_and_leaves_no_process(room: Path) -> None:
    postgres = EmbeddedPostgres(room / "data")
    await postgres.start()
    connection = await asyncpg.connect(postgres.url)
    assert await connection.fetchval("SHOW server_version_num") >= "180000"
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    assert await connection.fetchval("SHOW listen_addresses") == ""
    await connection.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('grain')")
    await connection.close()
    await postgres.stop()
    assert processes_with(room.name) == []
    await postgres.start()
    try:
        assert await ask(postgres, "SELECT word FROM kept") == "grain"
    finally:
        await postgres.stop()


async def test_no_file_or_socket_below_the_data_dir_is_open_to_other_users(room: Path) -> None:
    postgres = EmbeddedPostgres(room / "data")
    await postgres.start()
    try:
        everything = [postgres.data_dir, *postgres.data_dir.rglob("*")]
        sockets = [path for path in everything if stat.S_ISSOCK(path.lstat().st_mode)]
        assert len(everything) > 500
        assert len(sockets) == 1
        assert [path for path in everything if path.lstat().st_mode & 0o077] == []
    finally:
        await postgres.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as someone else")
async def test_as_root_the_server_is_an_unprivileged_process_without_groups(room: Path) -> None:
    postgres = EmbeddedPostgres(room / "data", os_user="nobody")
    await postgres.start()
    try:
        assert postgres.process is not None
        status = status_of(postgres.process.pid)
        nobody = pwd.getpwnam("nobody")
        assert set(status["Uid"].split()) == {str(nobody.pw_uid)}
        assert status["Groups"].split() == []
        assert int(status["CapEff"], 16) == 0
    finally:
        await postgres.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to knock at the door")
async def test_another_user_cannot_connect(room: Path) -> None:
    postgres = EmbeddedPostgres(room / "data")
    await postgres.start()
    try:
        knock = "import asyncio, sys, asyncpg; asyncio.run(asyncpg.connect(sys.argv[1]))"
        result = as_ordinary_user(knock, postgres.url)
        assert result.returncode != 0
        assert "Permission denied" in result.stderr
        # And with the doors of every folder open, the server itself refuses.
        for folder in (room, postgres.data_dir, postgres.folder):
            folder.chmod(0o755)
        next(postgres.folder.glob(".s.PGSQL.*[0-9]")).chmod(0o777)
        result = as_ordinary_user(knock, postgres.url)
        assert "peer" in result.stderr.lower()
    finally:
        await postgres.stop()


def test_an_ordinary_user_without_a_home_can_run_it(room: Path) -> None:
    data_dir = room / "theirs" / "data"
    data_dir.parent.mkdir()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(data_dir.parent, nobody.pw_uid, nobody.pw_gid)
        room.chmod(0o711)
    result = as_ordinary_user(LIFE, str(data_dir))
    assert result.returncode == 0, result.stderr
    uid, role = result.stdout.split()
    assert role == "thresher"
    assert int(uid) == (pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid())


@pytest.mark.parametrize("name", ["d" * 200, "a, b%20\"c' é"], ids=["long", "odd characters"])
async def test_any_path_will_do(room: Path, name: str) -> None:
    postgres = EmbeddedPostgres(room / name)
    await postgres.start()
    try:
        assert await ask(postgres, "SELECT current_database()") == "thresher"
        reached = postgres._reached
        assert reached is not None
    finally:
        await postgres.stop()
    assert not reached.is_symlink()


def test_a_short_folder_that_others_can_write_is_refused(room: Path) -> None:
    folder = room / ("x" * 200)
    link = socketdir.reach(folder)
    try:
        link.parent.chmod(0o777)
        with pytest.raises(EmbeddedError, match="not a private folder"):
            socketdir.reach(folder)
    finally:
        socketdir.forget(link, folder)


async def test_two_live_side_by_side(room: Path) -> None:
    one, two = EmbeddedPostgres(room / "one"), EmbeddedPostgres(room / "two")
    await asyncio.gather(one.start(), two.start())
    try:
        await ask(one, "CREATE TABLE only_here ()")
        assert await ask(two, "SELECT to_regclass('only_here')") is None
    finally:
        await asyncio.gather(one.stop(), two.stop())


async def test_a_data_dir_in_use_is_refused_by_name_and_pid(room: Path) -> None:
    first = EmbeddedPostgres(room / "data")
    await first.start()
    try:
        with pytest.raises(EmbeddedError) as refusal:
            await EmbeddedPostgres(room / "data").start()
        assert str(room / "data") in str(refusal.value)
        assert f"process {os.getpid()}" in str(refusal.value)
        assert await ask(first, "SELECT 1") == 1
    finally:
        await first.stop()
    DataDir.open(room / "data").close()


async def test_after_kill_of_the_postmaster_it_starts_again_with_all_that_was_committed(room: Path) -> None:
    postgres = EmbeddedPostgres(room / "data")
    await postgres.start()
    try:
        await ask(postgres, "CREATE TABLE kept AS SELECT 7 AS n")
        # A backend in the middle of a long statement notices the death of its postmaster late.
        busy = await asyncpg.connect(postgres.url)
        statement = asyncio.create_task(busy.fetchval("SELECT count(*) FROM generate_series(1, 2000000000)"))
        watcher = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%series%' AND pid <> pg_backend_pid()"
        async with asyncio.timeout(BOUND):
            while await ask(postgres, watcher) != 1:
                pass
        assert postgres.process is not None
        postgres.process.kill()
        assert await postgres.wait() == -signal.SIGKILL
        assert processes_with(room.name) != []
        await postgres.start()
        assert await ask(postgres, "SELECT n FROM kept") == 7
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            await statement
        busy.terminate()
    finally:
        await postgres.stop()


async def test_it_goes_down_with_the_process_that_started_it(room: Path) -> None:
    holder, postmaster = await run_holder(room / "data")
    holder.kill()
    await holder.wait()
    await until(lambda: not alive(postmaster), "the postmaster to follow its parent")
    await until(lambda: processes_with(room.name) == [], "its backends to end")


async def test_the_next_start_takes_over_from_a_server_that_outlived_its_thresher(room: Path) -> None:
    holder, postmaster = await run_holder(room / "data")
    # Stopped, it cannot follow its parent: what a machine without a parent-death signal looks like.
    os.kill(postmaster, signal.SIGSTOP)
    holder.kill()
    await holder.wait()
    assert alive(postmaster)
    postgres = EmbeddedPostgres(room / "data")
    starting = asyncio.create_task(postgres.start())
    os.kill(postmaster, signal.SIGCONT)
    await starting
    try:
        assert not alive(postmaster)
        assert await ask(postgres, "SELECT 1") == 1
    finally:
        await postgres.stop()


async def test_a_pid_file_that_names_a_stranger_does_not_hinder_the_start(room: Path) -> None:
    postgres = EmbeddedPostgres(room / "data")
    await postgres.start()
    assert postgres.process is not None
    pid_file = postgres.folder / "postmaster.pid"
    content = pid_file.read_text().split("\n", 1)[1]
    postgres.process.kill()
    await postgres.wait()
    stranger = await asyncio.create_subprocess_exec("/bin/cat", stdin=asyncio.subprocess.PIPE)
    try:
        pid_file.write_text(f"{stranger.pid}\n{content}")
        await postgres.start()
        assert await ask(postgres, "SELECT 1") == 1
        assert stranger.returncode is None
    finally:
        await postgres.stop()
        stranger.kill()
        await stranger.wait()


async def test_a_database_of_another_version_is_refused_with_the_way_out(room: Path) -> None:
    folder = room / "data" / "postgres"
    folder.mkdir(parents=True)
    (folder / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 17.*pg_dump"):
        await EmbeddedPostgres(room / "data").start()


async def test_a_start_that_fails_shows_the_log_and_lets_go_of_the_data_dir(room: Path) -> None:
    postgres = EmbeddedPostgres(room / "data")
    await postgres.start()
    await postgres.stop()
    (postgres.folder / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(EmbeddedError, match="no_such_setting"):
        await postgres.start()
    DataDir.open(room / "data").close()


def test_a_folder_with_other_peoples_things_is_not_closed_to_them(room: Path) -> None:
    shared = room / "shared"
    shared.mkdir()
    (shared / "photos").mkdir()
    shared.chmod(0o755)
    with pytest.raises(EmbeddedError, match="photos"):
        DataDir.open(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a copy")
def test_programs_that_the_other_user_cannot_reach_are_copied_once_and_run(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = binaries.choose_user("nobody", room)
    monkeypatch.setattr(binaries, "COPIES", room / "cache")
    room.chmod(0o755)
    site = next(Path(entry) for entry in sys.path if (Path(entry) / binaries.PACKAGE).is_dir())
    copied = binaries._copy(site)
    made = (copied / binaries.PACKAGE).stat().st_ino
    assert binaries._runs(binaries._bin(copied), nobody)
    assert binaries._copy(site) == copied
    assert (copied / binaries.PACKAGE).stat().st_ino == made
    assert [path.name for path in (room / "cache").iterdir()] == [copied.name]
