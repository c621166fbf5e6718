"""What a tree of processes uses: CPU seconds by kind, and memory together, sampled from outside.

A process that ends between two samples is counted as it was at the last one. Memory is PSS: what processes share is
counted once.
"""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psutil

_SECONDS = 1.0  # between samples; one costs some 20 ms for 30 processes
KindOf = Callable[[psutil.Process], str]


@dataclass(slots=True)
class Usage:
    """`cpu`: seconds by kind of process, since the start of the metering; `busy`: of the whole machine, whoever used them.

    `memory`: the last PSS by kind, in bytes.
    """

    cpu: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    peak: int = 0
    busy: float = 0.0


class Meter:
    """Watches the process `root` and all below it."""

    def __init__(self, root: int, kind_of: KindOf) -> None:
        self._root, self._kind_of = psutil.Process(root), kind_of
        self._kinds: dict[psutil.Process, str] = {}
        self._begun: dict[psutil.Process, float] = {}
        self._cpu: dict[psutil.Process, float] = {}
        self._peak = 0
        self._sample()
        self._begun = dict(self._cpu)
        self._busy = _busy()

    def usage(self) -> Usage:
        """What was used since the start."""
        busy, memory = _busy() - self._busy, self._sample()
        cpu: dict[str, float] = defaultdict(float)
        for process, seconds in self._cpu.items():
            cpu[self._kinds[process]] += seconds - self._begun.get(process, 0.0)
        return Usage(dict(cpu), memory, self._peak, busy)

    @contextlib.contextmanager
    def sampling(self) -> Iterator[None]:
        """Sample in the background while the block runs."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_SECONDS):
                self._sample()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _sample(self) -> dict[str, int]:
        memory: dict[str, int] = defaultdict(int)
        for process in [self._root, *self._root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process not in self._kinds:
                    self._kinds[process] = self._kind_of(process)
                times = process.cpu_times()
                self._cpu[process] = times.user + times.system
                memory[self._kinds[process]] += process.memory_full_info().pss
        self._peak = max(self._peak, sum(memory.values()))
        return dict(memory)


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)
