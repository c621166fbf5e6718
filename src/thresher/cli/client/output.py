"""Where results go: a file that is there whole or not at all, or standard output."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from thresher.cli.client.threads import in_thread
from thresher.cli.errors import CommandError
from thresher.cli.terminal import harmless_json

# The user's own, which cli/main.py has taken away from the files of the data dir.
umask = 0o077


class Output(Protocol):
    """Something to write lines to. `is_terminal`: a person watches what is written."""

    is_terminal: bool

    async def write(self, data: bytes) -> None:
        """Raises CommandError, or BrokenPipeError when nobody reads any more."""

    def keep(self) -> None:
        """Everything is written: a file gets its name. Without it there is none."""


@contextlib.contextmanager
def opened(path: Path | None) -> Iterator[Output]:
    """The file, or standard output. Raises CommandError at once if the file cannot be written."""
    output: _Part | _Stream
    if path is None:
        output = _Stream(None)
    elif path.exists() and not path.is_file() and not path.is_dir():  # a pipe, a device
        output = _Stream(path)
    else:
        output = _Part(path)
    try:
        yield output
    finally:
        output.close()


class _Part:
    """A file beside the one that it will be."""

    is_terminal = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._target = path.resolve()  # what a link leads to is replaced, not the link
        with _named(path):
            if self._target.is_dir():
                raise IsADirectoryError(None, "is a directory")
            draft, name = tempfile.mkstemp(dir=self._target.parent, prefix=f"{self._target.name}.part-")
        self._part = Path(name)
        self._file = os.fdopen(draft, "wb", buffering=2**20)

    async def write(self, data: bytes) -> None:
        with _named(self._path):
            self._file.write(data)

    def keep(self) -> None:
        with _named(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            before = self._target.exists()
            self._part.chmod(stat.S_IMODE(self._target.stat().st_mode) if before else 0o666 & ~umask)
            self._part.replace(self._target)

    def close(self) -> None:
        """Remove what was not kept."""
        with contextlib.suppress(OSError):  # what could not be flushed is removed below
            self._file.close()
        self._part.unlink(missing_ok=True)


class _Stream:
    """Standard output, a pipe or a device: its other end may be slow, or gone, or not be there yet."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._number = 1 if path is None else None
        self.is_terminal = path is None and os.isatty(1)
        if path is not None and not os.access(path, os.W_OK):
            raise CommandError(f"{path} cannot be written")

    async def write(self, data: bytes) -> None:
        try:
            await in_thread(lambda: self._write_all(harmless_json(data) if self.is_terminal else data))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandError(f"the output cannot be written: {error.strerror}") from error

    def _write_all(self, data: bytes) -> None:
        if self._number is None and self._path is not None:
            self._number = os.open(self._path, os.O_WRONLY)  # waits for somebody who reads
        assert self._number is not None  # noqa: S101
        left = memoryview(data)
        while left:
            left = left[os.write(self._number, left) :]

    def keep(self) -> None:
        """It is written already."""

    def close(self) -> None:
        """It is left to the end of the process: a write that nobody reads may still hang in it."""


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
