"""A worker process that was told to leave is gone in bounded time, whatever hangs in it."""

import subprocess
import sys
import time

HUNG = """
import time
from thresher.engine.worker import Process
process = Process(patience=0.2)
process.on_leave(lambda: print("told", flush=True))
process.{how}()
time.sleep(60)
"""


def run(how: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", HUNG.format(how=how)], capture_output=True, text=True, timeout=50)


def test_a_process_that_hangs_after_it_was_told_to_leave_ends_itself() -> None:
    begun = time.monotonic()
    ended = run("leave")
    assert (ended.returncode, ended.stdout) == (1, "told\n")
    assert "not gone in time" in ended.stderr
    assert time.monotonic() - begun < 50  # it did not sleep to its end


def test_so_does_one_that_broke_off() -> None:
    assert run("break_off").returncode == 1
