"""A path to the database's socket that fits into a socket address (107 bytes on Linux, 103 elsewhere).

The socket itself always lies in the database's own folder; if that path is too long, a private folder holds a link.
"""

import hashlib
import os
import stat
import sys
from pathlib import Path

from thresher.storage.embedded.errors import EmbeddedError

NAME = ".s.PGSQL.5432"
LIMIT = 107 if sys.platform == "linux" else 103
LINK = "s"


def reach(folder: Path) -> Path:
    """The folder to name in a client's `host`: `folder` itself or a short link to it. Raises EmbeddedError."""
    # Clients take a comma for the separator of a list of hosts.
    if len(os.fsencode(folder / NAME)) <= LIMIT and "," not in str(folder):
        return folder
    short = _private(_base() / f"thresher-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}")
    link = short / LINK
    if not link.is_symlink() or link.readlink() != folder:
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    return link


def forget(reached: Path, folder: Path) -> None:
    """Remove what `reach` made."""
    if reached != folder:
        reached.unlink(missing_ok=True)
        reached.parent.rmdir()


def _base() -> Path:
    candidates = [Path("/run")] if os.geteuid() == 0 else [Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")]
    for base in candidates:
        if base.is_dir() and os.access(base, os.W_OK) and len(os.fsencode(base)) < LIMIT - 50:
            return base
    return Path("/tmp")  # noqa: S108 - the folder made in it is private and its owner is checked


def _private(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o077:
        raise EmbeddedError(f"{path} is not a private folder of this user; another user made it. Remove it.")
    return path
