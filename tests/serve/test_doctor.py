"""`thresher doctor`: what it finds where all is well, and where something is not."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.serve.support import environment, processes_with
from tests.serve.test_commands import COMMAND, Server, run
from tests.support.plugins import installed

from thresher.cli import runfile
from thresher.cli.doctor import parts, report
from thresher.cli.doctor.finding import Finding, State, ok
from thresher.settings import Settings
from thresher.storage.migrations import migrate

HEALTHY = {"python", "system", "settings", "data dir", "database user", "postgres", "blob store", "converter"}


async def doctor(room: Path, *, well: bool, **env: str) -> dict[str, Finding]:
    """The findings, by check; `well` if nothing necessary is missing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(environment()):
            patch.delenv(name)
        for name, value in env.items():
            patch.setenv(name, value)
        findings = await report.examine(Settings(data_dir=room / "data"))
    assert report.healthy(findings) is well, findings
    for finding in findings.values():
        assert finding.state is not State.OK or finding.remedy == ""
        assert "the check failed" not in finding.found
    return findings


async def test_on_a_new_machine_all_that_is_necessary_is_there_and_nothing_is_made(room: Path) -> None:
    checks = await doctor(room, well=True)
    assert {name for name in HEALTHY if checks[name].state != "ok"} == set()
    assert "PostgreSQL) 18" in checks["postgres"].found
    assert checks["server here"].found == "none runs on this data dir"
    assert "database" not in checks
    assert "THRESHER_URL" not in checks
    assert not (room / "data").exists()
    assert processes_with(room.name) == []


async def test_beside_a_server_it_asks_it_with_the_key_and_without(room: Path) -> None:
    with Server(room / "data") as server:
        url = await server.ready()
        note = runfile.read(room / "data")
        assert note is not None
        checks = await doctor(room, well=True, THRESHER_URL=url, THRESHER_API_KEY=note.endpoint.key)
        assert checks["server here"].found == f"{url}, database ok, blobs ok"
        assert checks["THRESHER_URL"] == ok(f"{url} answers and takes the key")
        assert "port" not in checks, "it is the server's own"
        refused = await doctor(room, well=False, THRESHER_URL=url, THRESHER_API_KEY="thr_wrong")
        assert "refuses the key" in refused["THRESHER_URL"].found
        keyless = await doctor(room, well=False, THRESHER_URL=url)
        assert keyless["THRESHER_URL"].remedy == "Set THRESHER_API_KEY."
        server.process.send_signal(signal.SIGTERM)
        await server.ended()


async def test_what_is_missing_is_named_with_what_to_do(room: Path) -> None:
    (room / "data").write_text("not a folder")
    checks = await doctor(
        room,
        well=False,
        DATABASE_URL="postgresql://me:hush@127.0.0.1:1/x",
        THRESHER_URL="http://127.0.0.1:1",
        THRESHER_CONNECT_TO="nonsense",
        THRESHER_BLOB_URL=f"file://{room}/data/blobs",
    )
    missing = {name for name, check in checks.items() if check.state == "missing"}
    assert missing == {"settings", "data dir", "blob store", "database", "THRESHER_URL"}
    assert "THRESHER_CONNECT_TO" in checks["settings"].found
    assert "hush" not in str(checks)
    assert "postgres" not in checks, "the operator has a database"


async def test_a_database_is_told_to_be_migrated_until_it_is(empty_database_url: str, room: Path) -> None:
    before = await doctor(room, well=False, DATABASE_URL=empty_database_url)
    assert before["database"].remedy == "Run `thresher migrate`."
    assert "0001_core.sql" in before["database"].found
    await migrate(empty_database_url)
    after = await doctor(room, well=True, DATABASE_URL=empty_database_url)
    assert after["database"].state == "ok"


async def test_a_converter_that_cannot_do_its_work_is_found_by_converting(room: Path) -> None:
    checks = await doctor(room, well=False, THRESHER_CONVERT_TIMEOUT="0.000001")
    assert checks["converter"].state == "missing"
    assert "a page could not be converted" in checks["converter"].found


async def test_a_name_that_is_no_setting_is_told_with_what_it_may_mean(room: Path) -> None:
    (room / "settings.toml").write_text("fetch_alow = []\nport = 0\n")
    checks = await doctor(room, well=True, THRESHER_WORKRES="3", THRESHER_CONFIG=str(room / "settings.toml"))
    assert checks["settings"].state == "warning"
    assert checks["settings"].found == "not a setting: THRESHER_WORKRES (THRESHER_WORKERS?), fetch_alow (fetch_allow?)"


async def test_a_parser_of_a_package_that_cannot_be_used_is_named(room: Path) -> None:
    with installed("bad"):
        found = await parts.plugged(Settings(data_dir=room))
    assert found is not None
    assert found.state is State.WARNING
    assert "i-gone (acme_weeds.gone:GONE) of acme-weeds 0.1: ModuleNotFoundError" in found.found
    with installed("good"):
        assert await parts.plugged(Settings(data_dir=room)) == ok("@acme/headings (acme-barn 1.2)")
    assert await parts.plugged(Settings(data_dir=room)) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may not run PostgreSQL itself")
async def test_as_root_a_user_that_is_not_there_is_missing(room: Path) -> None:
    checks = await doctor(room, well=False, THRESHER_DATABASE_OS_USER="nobody-of-this-name")
    assert checks["database user"].state == checks["postgres"].state == "missing"


def test_with_json_the_command_writes_the_findings_and_its_exit_code_says_what_they_come_to(room: Path) -> None:
    (room / "data").write_text("not a folder")
    result = run("doctor", "--json", "--data-dir", str(room / "data"))
    told = json.loads(result.stdout)
    assert (result.returncode, told["ok"]) == (1, False)
    states = {check["name"]: check["state"] for check in told["checks"]}
    assert (states["data dir"], states["converter"]) == ("missing", "ok")


def test_in_a_pipe_every_check_is_a_line_without_colours(room: Path) -> None:
    result = run("doctor", "--data-dir", str(room / "data"))
    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert {len(line) for line in lines} == {3}
    assert {line[1] for line in lines} >= HEALTHY


def test_on_a_terminal_it_is_a_table_that_fits(room: Path) -> None:
    main, terminal = os.openpty()
    try:
        result = run_on(terminal, "doctor", "--data-dir", str(room / "data"))
        shown = os.read(main, 65_536).decode()
    finally:
        os.close(main)
        os.close(terminal)
    assert result == 0
    assert "\x1b[32mok" in shown
    assert "\t" not in shown


def run_on(terminal: int, *arguments: str) -> int:
    """A command whose standard output is a terminal; its exit code."""
    env = environment(TERM="xterm-256color", COLUMNS="100")
    return subprocess.run([*COMMAND, *arguments], env=env, stdout=terminal, timeout=60, check=False).returncode
