"""A contestant that is a process of its own: it loads, says so, works when it is told to, and waits to be looked at.

The protocol, on its standard streams: it prints `ready`, reads a line, works, prints `done`, and ends at the end of its
input. So neither the start of an interpreter nor its end is on the clock, for nobody.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


@contextlib.contextmanager
def running(command: Sequence[str | Path]) -> Iterator["Peer"]:
    """The process, ready to go, while the block runs. Raises RuntimeError if it does not become ready."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        peer = Peer(process)
        peer.expect("ready")
        yield peer


class Peer:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def work(self) -> None:
        """Have it work, and return when it is done."""
        self.begin()
        self.expect("done")

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def expect(self, word: str) -> None:
        assert self._process.stdout is not None
        if (line := self._process.stdout.readline()) != f"{word}\n":
            raise RuntimeError(f"{self._process.args!r} said {line!r} instead of {word!r}")


@contextlib.contextmanager
def at_work() -> Iterator[None]:
    """The other side of the protocol: the block is the work."""
    print("ready", flush=True)
    if not sys.stdin.readline():
        raise SystemExit(1)
    yield
    print("done", flush=True)
    sys.stdin.read()
