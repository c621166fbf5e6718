"""How far a command is, on standard error: a bar on a terminal, a line now and then elsewhere, JSON lines on request."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from thresher.cli.client.pace import Pace
from thresher.cli.errors import harmless

if TYPE_CHECKING:
    from rich.progress import TaskID

PLAIN_SECONDS = 5.0  # between two lines


@dataclass(frozen=True, slots=True)
class Step:
    """`done` of `total` (None: not known yet) in a phase, items or bytes; `failed` is the part of `done` without a result."""

    phase: str  # what is being done, in a word: Sending, Fetching, Writing
    done: int
    total: int | None
    failed: int = 0
    in_bytes: bool = False

    def amount(self, number: float) -> str:
        """So many items, or bytes."""
        if not self.in_bytes:
            return f"{number:,.0f}"
        return f"{number / 1e6:,.1f} MB" if number >= 1e6 else f"{number / 1e3:,.1f} kB"


class Display(Protocol):
    """What a command reports to."""

    def step(self, step: Step) -> None:
        """How far it is now. May be called as often as one likes."""

    def tell(self, sentence: str) -> None:
        """Something that a person should know."""

    def clear(self) -> None:
        """Results come to the same terminal now: only sentences are shown from here on."""

    def end(self, sentence: str, facts: dict[str, Any]) -> None:
        """The last word: as a sentence for a person, as facts for a program."""


@contextmanager
def display(*, as_json: bool) -> Iterator[Display]:
    """The fitting one."""
    if as_json:
        yield JsonLines()
    elif sys.stderr.isatty():
        bar = Bar()
        try:
            yield bar
        finally:
            bar.clear()
    else:
        yield Plain()


class JsonLines:
    """One JSON object a line: {"event": "progress" | "note" | "end", ...}. Progress at most once a second."""

    def __init__(self) -> None:
        self._beat = _Beat(1.0)

    def step(self, step: Step) -> None:
        pace = self._beat.seen(step)
        if self._beat.due(step):
            facts = {"phase": step.phase.lower(), "done": step.done, "total": step.total, "failed": step.failed}
            self._write("progress", **facts, rate=_rounded(pace.rate), eta=_rounded(_left(pace, step)))

    def tell(self, sentence: str) -> None:
        self._write("note", message=sentence)

    def clear(self) -> None:
        """They are no bother to each other: both are JSON lines."""

    def end(self, sentence: str, facts: dict[str, Any]) -> None:
        self._write("end", message=sentence, **facts)

    def _write(self, event: str, **facts: Any) -> None:
        _print(json.dumps({"event": event, **facts}))


class Plain:
    """Lines for a log: one every PLAIN_SECONDS."""

    def __init__(self) -> None:
        self._beat = _Beat(PLAIN_SECONDS)

    def step(self, step: Step) -> None:
        pace = self._beat.seen(step)
        if self._beat.due(step):
            of = "" if step.total is None else f" of {step.amount(step.total)}"
            parts = [f"{step.phase}: {step.amount(step.done)}{of}", _failed(step), _rate(pace, step), _eta(pace, step)]
            _print(", ".join(part for part in parts if part))

    def tell(self, sentence: str) -> None:
        _print(sentence)

    def clear(self) -> None:
        """Standard error goes elsewhere."""

    def end(self, sentence: str, facts: dict[str, Any]) -> None:
        _print(sentence)


class Bar:
    """A bar that is gone when the command is over; sentences stay above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(stderr=True, highlight=False)
        self._progress: Progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TextColumn("[dim]{task.fields[pace]}"),
            TextColumn("[red]{task.fields[failed]}"),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._beat = _Beat(0)
        self._cleared = False

    def step(self, step: Step) -> None:
        if self._cleared:
            return
        pace = self._beat.seen(step)
        of = "" if step.total is None else f"/{step.amount(step.total)}"
        fields: dict[str, Any] = {
            "count": f"{step.amount(step.done)}{of}" if step.done or of else "",
            "pace": ", ".join(part for part in (_rate(pace, step), _eta(pace, step)) if part),
            "failed": _failed(step),
        }
        if self._task is None:
            self._task = self._progress.add_task(step.phase, total=step.total, **fields)
            self._progress.start()
        self._progress.update(self._task, description=step.phase, completed=step.done, total=step.total, **fields)

    def tell(self, sentence: str) -> None:
        self._console.print(harmless(sentence, keep="\n"), markup=False, soft_wrap=True)

    def clear(self) -> None:
        self._cleared = True
        self._progress.stop()

    def end(self, sentence: str, facts: dict[str, Any]) -> None:
        self.clear()
        self.tell(sentence)


class _Beat:
    """The pace of the phase that runs, and when the next line of it is due."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._phase = ""
        self._last = 0.0
        self._pace = Pace()

    def seen(self, step: Step) -> Pace:
        if step.phase != self._phase:
            self._phase, self._pace, self._last = step.phase, Pace(), time.monotonic()
        self._pace.seen(time.monotonic(), step.done)
        return self._pace

    def due(self, step: Step) -> bool:
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


def _left(pace: Pace, step: Step) -> float | None:
    return None if step.total is None else pace.left(step.total - step.done)


def _rate(pace: Pace, step: Step) -> str:
    rate = pace.rate
    if rate is None:
        return ""
    if step.in_bytes:
        return f"{step.amount(rate)}/s"
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


def _eta(pace: Pace, step: Step) -> str:
    left = _left(pace, step)
    if left is None or left >= 100 * 3600:
        return ""
    minutes, seconds = divmod(round(left), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"


def _failed(step: Step) -> str:
    return f"{step.failed:,} failed" if step.failed else ""


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _print(line: str) -> None:
    print(harmless(line, keep="\n"), file=sys.stderr, flush=True)
