"""The supervisor over real child processes, from inside and, for its own death, from outside."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.serve.support import alive, environment, processes_with, until

from thresher.cli.supervisor import LAST_BACKOFF, Backoff, ChildSpec, Supervisor, describe

# Each child appends its pid to a file, so that a test can count starts; then it waits for signals.
PATIENT = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1], "a").write("drained\\n"), sys.exit(0)))
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
while True:
    signal.pause()
"""
STUBBORN = PATIENT.replace("lambda *_:", "lambda *_: None and")
WITH_A_CHILD = """
import os, subprocess, sys
child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
open(sys.argv[1], "a").write(f"{os.getpid()}\\n{child.pid}\\n")
child.wait()
"""
OVERSEER = """
import asyncio, sys
from thresher.cli.supervisor import ChildSpec, Supervisor
spec = [ChildSpec(f"child-{n}", [sys.executable, "-c", sys.argv[1], sys.argv[2]], {}) for n in range(3)]
asyncio.run(Supervisor(spec, 10).run())
"""


def child(script: str, book: Path) -> ChildSpec:
    return ChildSpec(book.name, [sys.executable, "-c", script, str(book)], environment())


def lines(book: Path) -> list[str]:
    return book.read_text().splitlines() if book.exists() else []


@contextlib.asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(supervisor.run())
    try:
        yield task
    finally:
        supervisor.kill()
        await asyncio.wait_for(task, 20)


async def test_a_child_that_is_killed_is_started_again(room: Path) -> None:
    book = room / "one"
    supervisor = Supervisor([child(PATIENT, book)], 10)
    async with running(supervisor):
        await until(lambda: len(lines(book)) == 1, "the first start")
        os.kill(int(lines(book)[0]), signal.SIGKILL)
        await until(lambda: len(lines(book)) == 2, "the second start")
        assert supervisor.pids() == {"one": int(lines(book)[1])}


async def test_a_restart_is_reported_with_the_exit_code(room: Path, caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor([ChildSpec("shaky", [sys.executable, "-c", "raise SystemExit(3)"], environment())], 10)
    async with running(supervisor):
        await until(lambda: "shaky ended (exit code 3); starting it again in 0.2 s" in caplog.text, "the report")


async def test_what_a_dead_child_had_started_does_not_outlive_it(room: Path) -> None:
    book = room / "parent"
    async with running(Supervisor([child(WITH_A_CHILD, book)], 10)):
        await until(lambda: len(lines(book)) >= 2, "the grandchild")
        parent, grandchild = (int(line) for line in lines(book)[:2])
        os.kill(parent, signal.SIGKILL)
        await until(lambda: not alive(grandchild), "the grandchild's end")


async def test_stop_lets_children_finish_and_starts_none_again(room: Path) -> None:
    books = [room / "one", room / "two"]
    supervisor = Supervisor([child(PATIENT, book) for book in books], 10)
    async with running(supervisor) as task:
        await until(lambda: all(len(lines(book)) == 1 for book in books), "both starts")
        supervisor.stop()
        await asyncio.wait_for(task, 20)
    assert [lines(book)[1:] for book in books] == [["drained"], ["drained"]]


async def test_a_child_that_does_not_drain_is_killed_after_the_grace(room: Path) -> None:
    book = room / "stubborn"
    supervisor = Supervisor([child(STUBBORN, book)], 0.2)
    async with running(supervisor) as task:
        await until(lambda: len(lines(book)) == 1, "the start")
        supervisor.stop()
        await asyncio.wait_for(task, 20)
    assert not alive(int(lines(book)[0]))


async def test_kill_cuts_a_drain_short(room: Path) -> None:
    book = room / "stubborn"
    supervisor = Supervisor([child(STUBBORN, book)], 3600)
    async with running(supervisor) as task:
        await until(lambda: len(lines(book)) == 1, "the start")
        supervisor.stop()
        supervisor.kill()
        await asyncio.wait_for(task, 20)
    assert not alive(int(lines(book)[0]))


async def test_a_stop_during_the_backoff_does_not_wait_for_it(room: Path, caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor([ChildSpec("shaky", [sys.executable, "-c", "raise SystemExit(1)"], environment())], 10)
    async with running(supervisor) as task:
        await until(lambda: "again in 1.6 s" in caplog.text, "a long backoff")
        supervisor.stop()
        await asyncio.wait_for(task, 1.5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_kill_of_the_supervisor_leaves_no_child(room: Path) -> None:
    book = room / "book"
    overseer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OVERSEER, STUBBORN, str(book), env=environment()
    )
    await until(lambda: len(lines(book)) == 3, "three children")
    overseer.kill()
    await overseer.wait()
    await until(lambda: processes_with(str(book)) == [], "the children to follow")


def test_the_backoff_doubles_up_to_a_bound_and_starts_over_after_a_steady_run() -> None:
    backoff = Backoff()
    assert [round(backoff.after(1), 1) for _ in range(7)] == [0.2, 0.4, 0.8, 1.6, 3.2, LAST_BACKOFF, LAST_BACKOFF]
    assert backoff.after(31) == 0.2


def test_an_end_by_a_signal_is_named() -> None:
    assert describe(-11) == "SIGSEGV"
    assert describe(3) == "exit code 3"
