"""How far a command has come with its batch, and the command that goes on from there."""

import asyncio
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from thresher.cli.client.progress import Display
from thresher.cli.errors import CommandError, ExitCode


@dataclass
class Course:
    """`options` are the words that the results were asked for with, `sources` what is being sent, with its options."""

    options: Sequence[str] = ()
    sources: Sequence[str] = ()
    batch_id: str | None = None
    started: bool = False

    @property
    def onward(self) -> str | None:
        """The command that goes on; None as long as there is no batch."""
        if self.batch_id is None:
            return None
        if self.started:
            return shlex.join(["thresher", "results", self.batch_id, *self.options])
        return shlex.join(["thresher", "batch", *self.sources, *self.options, "--continue", self.batch_id])

    @contextmanager
    def explained(self, display: Display) -> Iterator[None]:
        """Errors of the block, and its interruption, say how to go on."""
        try:
            yield
        except CommandError as error:
            if self.onward is None:
                raise
            raise CommandError(f"{error}\nTo go on: {self.onward}", error.code) from error
        except asyncio.CancelledError:
            if self.onward is None:
                display.end("Interrupted. Nothing was submitted.", {"exit_code": ExitCode.INTERRUPTED})
            else:
                facts = {"exit_code": ExitCode.INTERRUPTED, "batch": self.batch_id, "continue": self.onward}
                display.end(f"Interrupted. Nothing is lost. To go on: {self.onward}", facts)
            raise


def result_options(output: Path | None, formats: Sequence[str], data_dir: Path | None) -> list[str]:
    """The words that `batch` and `results` have in common."""
    words = [] if output is None else ["-o", str(output)]
    if formats:
        words += ["--format", ",".join(formats)]
    return words if data_dir is None else [*words, "--data-dir", str(data_dir)]
