"""The batch commands as processes, and what they wrote."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.served import KEY, Served
from tests.serve.support import environment

COMMAND = (sys.executable, "-m", "thresher.cli.main")
FIELDS = [
    "custom_id",
    "url",
    "final_url",
    "status",
    "http_status",
    "title",
    "markdown",
    "links",
    "error",
    "attempts",
    "retrieve_id",
]
PIPE, DEVNULL = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL


@dataclass(frozen=True)
class Ended:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its standard output, which must be JSON lines and nothing else."""
        assert self.out == "" or self.out.endswith("\n")
        return [json.loads(line) for line in self.out.splitlines()]


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


class Running:
    """A command that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.err = ""

    async def said(self, text: str) -> str:
        """All of standard error so far, once the text is in it."""
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            while text not in self.err:
                piece = await self.process.stderr.read(4096)
                assert piece, f"it ended without saying {text!r}: {self.err}"
                self.err += piece.decode()
        return self.err

    def signal(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)

    async def ended(self) -> Ended:
        async with asyncio.timeout(60):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return Ended(self.process.returncode, out.decode(), self.err + err.decode())


class Cli:
    """`thresher`, in a folder of its own, with the settings of one who uses a server."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.env = env

    @classmethod
    def of(cls, server: Served, folder: Path) -> "Cli":
        """One that uses the server by its URL and key."""
        return cls(folder, THRESHER_URL=server.url, THRESHER_API_KEY=KEY, THRESHER_DATA_DIR=str(folder / "unused"))

    @asynccontextmanager
    async def running(self, *words: str, stdin: int | None = None, **env: str) -> AsyncIterator[Running]:
        """A command, killed at the end of the block if it runs then."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *words,
            env=environment(**(self.env | env)),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else stdin,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            yield Running(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    async def run(self, *words: str, given: str | None = None, **env: str) -> Ended:
        """A command from its start to its end, with that on its standard input."""
        async with self.running(*words, stdin=None if given is None else PIPE, **env) as command:
            async with asyncio.timeout(90):
                out, err = await command.process.communicate(None if given is None else given.encode())
            assert command.process.returncode is not None
            return Ended(command.process.returncode, out.decode(), err.decode())

    def write(self, name: str, lines: list[str]) -> str:
        (self.folder / name).write_text("".join(line + "\n" for line in lines), "utf-8")
        return name

    def onward(self, err: str) -> list[str]:
        """The words of the command that the message says to go on with."""
        import shlex

        (line,) = [line for line in err.splitlines() if "To go on: " in line]
        words = shlex.split(line.partition("To go on: ")[2])
        assert words[0] == "thresher"
        return words[1:]


async def shell(cli: Cli, line: str, **env: str) -> Ended:
    """A line of the shell."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", line, env=environment(**(cli.env | env)), cwd=cli.folder, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)
