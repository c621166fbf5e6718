"""What the processes of a server hold, seen from outside: memory of their own, descriptors, and how many there are.

Memory of their own (RssAnon): what PostgreSQL's processes touch of their shared buffers is one sum from the start.
"""

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field

import psutil
from bench.server import kind_of
from tests.serve.support import status_of

_EVERY = 0.5  # seconds


@dataclass
class Holding:
    """By kind of process: bytes together, descriptors together, processes."""

    memory: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    descriptors: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    processes: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def look(root: psutil.Process) -> Holding:
    """What is held now."""
    found = Holding()
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, KeyError):  # it has just ended
            kind, files = kind_of(process), process.num_fds()
            memory = int(status_of(process.pid)["RssAnon"].split()[0]) * 1024
            found.memory[kind] += memory
            found.descriptors[kind] += files
            found.processes[kind] += 1
    return found


class Watch:
    """`async with Watch(pid) as watch`: the most that one converter has held while the block ran."""

    def __init__(self, root: psutil.Process) -> None:
        self._root = root
        self.largest_converter = 0

    async def __aenter__(self) -> "Watch":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            for process in self._root.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if kind_of(process) == "converter":
                        self.largest_converter = max(self.largest_converter, process.memory_info().rss)
            await asyncio.sleep(_EVERY)
