"""The command line as an operator meets it: real processes, exit codes, and what they print."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.serve.support import alive, environment, processes_with, until

from thresher.cli.errors import expected_errors
from thresher.cli.setup import prepare_database

COMMAND = [sys.executable, "-m", "thresher.cli.main"]


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(**env), capture_output=True, text=True, timeout=60, check=False
    )


class Server:
    """A running `thresher serve`; as a context it is killed at the end, if a failed test left it running."""

    def __init__(self, data_dir: Path, *arguments: str, **env: str) -> None:
        self.data_dir = data_dir
        self.output = data_dir.with_suffix(".out")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", "--data-dir", str(data_dir), "--port", "0", "--workers", "1", *arguments],
                env=environment(**env),
                stderr=output,
                stdout=output,
                stdin=subprocess.DEVNULL,
            )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def said(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.output.read_text())

    async def ready(self) -> str:
        """Its URL, once it listens."""
        await until(
            lambda: self.said("Thresher listens on") is not None or self.process.poll() is not None,
            "the server to listen",
            60,
        )
        found = self.said(r"Thresher listens on (\S+)")
        assert found is not None, self.output.read_text()
        return found[1]

    async def ended(self) -> int:
        await until(lambda: self.process.poll() is not None, "the server to end", 60)
        assert self.process.returncode is not None
        return self.process.returncode

    def children(self, name: str) -> list[int]:
        """The pids of `thresher api`, `thresher work`, or the postmaster."""
        found = []
        for pid in processes_with(str(self.data_dir)):  # the whole path: `data` alone is in many
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
                continue
            if len(words) > 1 and name.encode() in (words[-2], words[0].rpartition(b"/")[2]):
                found.append(pid)
        return found


async def get(url: str) -> int:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


async def test_serve_starts_answers_keeps_its_data_dir_to_itself_and_stops_without_a_trace(room: Path) -> None:
    note = room / "data" / "server.json"
    for start in (1, 2):
        with Server(room / "data") as server:
            url = await server.ready()
            assert await get(url) == 200
            assert bool(server.said("API key, shown only now: ")) is (start == 1)
            assert note.stat().st_mode & 0o777 == 0o600
            told = json.loads(note.read_text())
            assert told | {"url": url, "pid": server.process.pid} == told
            if start == 2:
                second = run("serve", "--data-dir", str(room / "data"), "--port", "0")
                in_use = f"{room / 'data'} is in use by another Thresher (process {server.process.pid})"
                assert (second.returncode, in_use in second.stderr, "Traceback" in second.stderr) == (1, True, False)
            server.process.send_signal(signal.SIGTERM if start == 1 else signal.SIGINT)
            assert await server.ended() == 0, server.output.read_text()
            assert processes_with(room.name) == []
            assert not note.exists()


async def test_every_part_that_is_killed_comes_back_on_the_same_port(room: Path) -> None:
    with Server(room / "data") as server:
        url = await server.ready()
        for part in ("work", "api", "postgres"):
            await until(lambda part=part: server.children(part) != [], f"{part} to run")  # type: ignore[misc]
            before = server.children(part)
            os.kill(min(before), signal.SIGKILL)
            await until(
                lambda part=part, before=before: (
                    bool(server.children(part)) and min(before) not in server.children(part)
                ),  # type: ignore[misc]
                f"{part} to be started again",
            )
        async with asyncio.timeout(60):
            while True:
                try:
                    if await get(url) == 200:
                        break
                except (OSError, IndexError):
                    await asyncio.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        assert await server.ended() == 0, server.output.read_text()


async def test_kill_of_serve_leaves_no_process_and_the_next_start_works(room: Path) -> None:
    with Server(room / "data") as server:
        await server.ready()
        server.process.kill()
        await server.ended()
        with Server(room / "data") as again:
            await again.ready()
            again.process.send_signal(signal.SIGTERM)
            assert await again.ended() == 0, again.output.read_text()
            await until(lambda: processes_with(room.name) == [], "all processes to end")


async def test_a_second_signal_stops_at_once(room: Path) -> None:
    with Server(room / "data", THRESHER_STOP_GRACE="3600") as server:
        await server.ready()
        worker = server.children("work")[0]
        os.kill(worker, signal.SIGSTOP)
        server.process.send_signal(signal.SIGTERM)
        await until(lambda: server.said("Stopping") is not None, "the drain to begin")
        assert alive(worker)
        server.process.send_signal(signal.SIGTERM)
        assert await server.ended() == 0
        assert processes_with(room.name) == []


def test_a_port_in_use_is_one_line_with_exit_code_1(room: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--data-dir", str(room / "data"), "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert "Address already in use" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (room / "data").exists()


def test_a_database_out_of_reach_is_one_line_without_the_password(room: Path) -> None:
    result = run("migrate", DATABASE_URL="postgresql://me:secret@127.0.0.1:1/x")
    assert result.returncode == 1
    assert "127.0.0.1:1/x cannot be used" in result.stderr
    assert "secret" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hush/hash@127.0.0.1:1/x",
        "postgresql://me:hush#hash@127.0.0.1:1/x",
        "postgresql://me:hush?hash@127.0.0.1:1/x",
        "postgresql://me:[hush@127.0.0.1:1/x",
        "postgresql://127.0.0.1:1/x?user=me&password=hush",
        "me:hush@127.0.0.1:1/x",
    ],
)
async def test_a_password_that_is_not_encoded_or_elsewhere_is_not_shown_either(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left, expected_errors(url):
        await prepare_database(url, None)
    said = capsys.readouterr().err
    assert (left.value.code, "hush" in said, "hash" in said, len(said.splitlines())) == (1, False, False, 1)


@pytest.mark.parametrize("command", ["api", "work", "migrate"])
def test_a_part_of_a_cluster_without_a_database_says_what_to_set(command: str) -> None:
    result = run(command)
    assert result.returncode == 2
    assert result.stderr.startswith("thresher: DATABASE_URL is not set")


def test_a_bad_setting_is_named_with_what_is_allowed() -> None:
    result = run("serve", THRESHER_RETRIES="many", THRESHER_PORT="70000")
    assert result.returncode == 2
    assert "retries (THRESHER_RETRIES) = 'many'" in result.stderr
    assert "less than or equal to 65535" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("command", "setting", "value"),
    [
        ("serve", "THRESHER_FETCH_ALLOW", "10.0.0.0/99"),
        ("work", "THRESHER_WEBHOOK_ALLOW", "http://10.0.0.1/"),
        ("serve", "THRESHER_CONNECT_TO", "example.com=127.0.0.1"),
        ("serve", "THRESHER_NAT64_PREFIXES", "64:ff9b::/97"),
        ("serve", "THRESHER_EXTRA_CA", "/nowhere/ca.pem"),
        ("work", "THRESHER_EXTRA_CA", __file__),
    ],
)
def test_a_setting_that_would_kill_every_worker_keeps_the_start_from_happening(
    room: Path, command: str, setting: str, value: str
) -> None:
    data_dir = room / "data"
    nowhere = "postgresql://me@127.0.0.1:1/x"
    result = run(command, THRESHER_DATA_DIR=str(data_dir), DATABASE_URL=nowhere, **{setting: value})
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 2), result.stderr
    assert setting in result.stderr
    assert value in result.stderr
    assert not data_dir.exists()


def test_a_proxy_that_is_none_keeps_the_start_from_happening_and_its_password_to_itself(room: Path) -> None:
    pools = '{"default": {"url": "socks5://me:s3cret@proxy.example:1080"}}'
    result = run("serve", THRESHER_DATA_DIR=str(room / "data"), THRESHER_PROXIES=pools)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 2), result.stderr
    assert "THRESHER_PROXIES: a URL of the proxy pool 'default'" in result.stderr
    assert "s3cret" not in result.stderr


@pytest.mark.parametrize("command", ["api", "work"])
async def test_a_database_that_is_not_migrated_is_said_to_be_so(empty_database_url: str, command: str) -> None:
    result = await asyncio.to_thread(run, command, DATABASE_URL=empty_database_url, THRESHER_PORT="0")
    assert result.returncode == 1
    assert result.stderr.splitlines() == ["thresher: the database has no tables of Thresher: run `thresher migrate`"]


def test_a_settings_file_that_is_missing_or_broken_is_named(room: Path) -> None:
    file = room / "thresher.toml"
    assert str(file) in run("serve", THRESHER_CONFIG=str(file)).stderr
    file.write_text("port = = 1")
    result = run("serve", THRESHER_CONFIG=str(file))
    assert (result.returncode, "is not TOML" in result.stderr) == (2, True)


def test_every_command_has_a_help_and_the_version_is_the_packages() -> None:
    for command in ("serve", "api", "work", "migrate"):
        assert "Example" in run(command, "--help").stdout
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", run("version").stdout)
    assert json.loads(run("version", "--json").stdout)["version"] == run("version").stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("version", "--jsom", "--json"), "No such option: --jsom"),
        (("versions", "--json"), "No such command 'versions'"),
        (("keys", "list", "--json", "--data-dir", __file__), "there is no database in"),
    ],
)
def test_with_json_every_error_is_an_object(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    error = json.loads(result.stderr)["error"]
    assert said in error["message"]
    assert error["exit_code"] == result.returncode != 0
    assert result.stdout == ""


def test_bash_completes_commands_once_it_is_told_to(room: Path) -> None:
    room.joinpath(".bashrc").write_text("# mine")
    program = Path(sys.executable).with_name("thresher")
    env = environment(HOME=str(room), PATH=f"{program.parent}:{os.environ['PATH']}")
    installed = subprocess.run([program, "--install-completion", "bash"], env=env, capture_output=True, check=True)
    assert str(room / ".bash_completions" / "thresher.sh") in installed.stdout.decode()
    assert room.joinpath(".bashrc").read_text().startswith("# mine\n")
    script = """
        . "$HOME/.bashrc"
        COMP_WORDS=(thresher se) COMP_CWORD=1
        _thresher_completion thresher
        echo "${COMPREPLY[@]}"
    """
    completed = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=True)
    assert completed.stdout.split() == ["serve"]
    shown = subprocess.run([program, "--show-completion", "bash"], env=env, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == (room / ".bash_completions" / "thresher.sh").read_text().strip()
