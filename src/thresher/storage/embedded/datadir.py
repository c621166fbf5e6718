"""The data dir: created private, checked to be ours, and held by one Thresher at a time.

Knows nothing of what lies in it.
"""

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType

from thresher.storage.embedded.errors import DataDirInUse, EmbeddedError


class DataDir:
    """An open data dir. The hold is a file lock (flock): the kernel lets go of it however this process ends."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def open(cls, path: Path) -> "DataDir":
        """Create the folder with mode 0700 if it is missing, and take the lock.

        Raises DataDirInUse if another process holds it, EmbeddedError if the folder is not this user's alone.
        """
        private_folder(path)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise DataDirInUse(
                f"the data dir {path} is in use by another Thresher (process {holder}). "
                "Stop that one, or choose another folder with --data-dir."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return cls(path, lock)

    def close(self) -> None:
        """Let go. Safe to call twice. The lock file stays: removing it would race with the next holder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "DataDir":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def private_folder(path: Path) -> Path:
    """Create the folder, and missing ones above it, with mode 0700; or check that it is ours and tighten it.

    Only a folder that we own is ever changed. Raises EmbeddedError otherwise.
    """
    try:
        _make(path)
        info = path.stat()
    except OSError as error:
        raise EmbeddedError(
            f"the folder {path} cannot be used ({error.strerror}). Choose another with --data-dir."
        ) from error
    if not stat.S_ISDIR(info.st_mode):
        raise EmbeddedError(f"{path} is not a folder. Choose another with --data-dir.")
    if info.st_uid != os.geteuid():
        raise EmbeddedError(
            f"the folder {path} belongs to another user (uid {info.st_uid}, and this is uid {os.geteuid()}). "
            "Start Thresher as that user, or choose another folder with --data-dir."
        )
    if info.st_mode & 0o077:
        _tighten(path)
    return path


def _make(path: Path) -> None:
    if path.is_dir():
        return
    if not path.parent.is_dir():
        _make(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def _tighten(path: Path) -> None:
    known = {"lock", "guests", "server.json", "postgres", "blobs", "log"}
    # A folder of someone's own, say a home, must not be closed to others because it was named by mistake.
    if strangers := sorted({entry.name for entry in path.iterdir()} - known):
        raise EmbeddedError(
            f"the folder {path} can be read by other users and holds something else ({strangers[0]}). "
            f"Choose an empty folder with --data-dir, or close it: chmod 700 {path}"
        )
    path.chmod(0o700)
