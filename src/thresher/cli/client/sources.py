"""What the arguments of the command line are: URLs, standard input, lists, and files, also those in folders.

All that can be known of them before anything is begun is checked here.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from thresher.cli.errors import CommandError, ExitCode
from thresher.domain.documents import EXTENSIONS

STDIN = "-"
SHOWN = 10  # complaints in one message

# What may be a document as well as a list is a list, unless it lies in a folder.
_LISTS = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".ndjson")
_DOCUMENTS = tuple(set(EXTENSIONS) - set(_LISTS))


class InputError(CommandError):
    """Something in the input is wrong: the message names the file and the line. Exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=ExitCode.USAGE)


class Kind(Enum):
    """What an argument is taken for."""

    URL = "url"
    STDIN = "stdin"
    LIST = "list"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Source:
    """An argument, or a file in a folder that is one. `size` is that of a file, in bytes."""

    name: str
    kind: Kind
    size: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What is to be sent, in order. `left_out` says of each file that cannot be which it is, and why."""

    sources: list[Source]
    left_out: list[str]


def find(arguments: Sequence[str], *, as_files: bool | None, most_bytes: int, tell: Callable[[str], None]) -> Found:
    """The arguments in order, folders as the files in them. `as_files` says what names would; None: they do.

    `tell` is given sentences on what does not come along: files that cannot be read, or have not 1 to `most_bytes` bytes, must not
    keep the others. Raises InputError for arguments that are not there or have nothing in them, and if nothing else is left.
    """
    if not arguments:
        raise InputError("no input: name a file, a URL, or - for standard input")
    if arguments.count(STDIN) > 1:
        raise InputError("standard input (-) can be read only once")
    looked = _Look(most_bytes)
    found = [source for argument in arguments for source in looked.at(argument, as_files)]
    if looked.complaints or not found:
        raise InputError(_listed([*looked.complaints, *looked.left_out]))
    if looked.left_out:
        tell(_listed(["These files are left out:", *looked.left_out]))
    if looked.passed_over:
        tell(
            f"{looked.passed_over:,} files in folders are none that is converted, by their names; --files takes them, too."
        )
    return Found(found, looked.left_out)


def is_url(argument: str) -> bool:
    """Whether an argument is a URL and not the name of a file."""
    return argument.lower().startswith(("http://", "https://"))


def hint(name: str) -> str:
    """What to add to a complaint about the first line of a list that may be meant as a document."""
    return "; --files takes it as a document" if name.lower().endswith(EXTENSIONS) else ""


def _listed(lines: Sequence[str]) -> str:
    more = len(lines) - SHOWN
    return "\n".join([*lines[:SHOWN], *([f"and {more:,} more"] if more > 0 else [])])


class _Look:
    """A look at all arguments, which goes on behind what is wrong: `complaints` are of arguments, `left_out` of single files."""

    def __init__(self, most_bytes: int) -> None:
        self.complaints: list[str] = []
        self.left_out: list[str] = []
        self.passed_over = 0
        self._most = most_bytes

    def at(self, argument: str, as_files: bool | None) -> Iterator[Source]:
        if is_url(argument):
            yield Source(argument, Kind.URL)
        elif argument == STDIN:
            yield Source(argument, Kind.STDIN)
        elif Path(argument).is_dir() and as_files is not False:
            yield from self._folder(argument, every=as_files is True)
        elif as_files or (as_files is None and argument.lower().endswith(_DOCUMENTS)):
            yield from self._file(argument, asked_for=True)
        else:
            self._list(argument)
            yield Source(argument, Kind.LIST)

    def _folder(self, folder: str, *, every: bool) -> Iterator[Source]:
        """All files below that are not hidden, in the order of their names; links to folders are not followed."""
        before = len(self.left_out), self.passed_over
        empty = True
        for here, folders, names in os.walk(folder, onerror=self._leave_out):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                if not every and not name.lower().endswith(EXTENSIONS):
                    self.passed_over += 1
                    continue
                empty = False
                yield from self._file(str(Path(here) / name))
        if empty and len(self.left_out) == before[0]:
            other = " but files that are none of those that are converted, by their names" * (
                self.passed_over > before[1]
            )
            self.complaints.append(f"{folder} has nothing in it{other}")

    def _file(self, name: str, *, asked_for: bool = False) -> Iterator[Source]:
        try:
            status = Path(name).stat()
            _check(name, regular=stat.S_ISREG(status.st_mode))
            name.encode()
        except OSError as error:
            wrong = self.complaints if asked_for and error.errno == errno.ENOENT else self.left_out
            wrong.append(_unreadable(name, error))
        except UnicodeEncodeError:
            self.left_out.append(f"{name!a}: the name is not UTF-8")
        else:
            if 0 < status.st_size <= self._most:
                yield Source(name, Kind.FILE, status.st_size)
            elif status.st_size:
                limit = f"the limit is {self._most:,} (THRESHER_MAX_FILE_BYTES)"
                self.left_out.append(f"{name} has {status.st_size:,} bytes; {limit}")
            else:
                self.left_out.append(f"{name} is empty")

    def _list(self, name: str) -> None:
        try:
            # No pipe is opened for it: whoever writes to it would be left without a reader.
            _check(name, regular=not stat.S_ISDIR(Path(name).stat().st_mode))
        except OSError as error:
            self.complaints.append(_unreadable(name, error))

    def _leave_out(self, error: OSError) -> None:
        self.left_out.append(_unreadable(error.filename, error))


def _unreadable(name: str, error: OSError) -> str:
    return f"{name} cannot be read: {error.strerror}"


def _check(name: str, *, regular: bool) -> None:
    if not regular:
        raise OSError(None, "is a directory" if Path(name).is_dir() else "is no regular file")
    if not os.access(name, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
