"""PostgreSQL processes that a killed Thresher left in a database folder: found and ended before the next start.

To be called only by who holds the data dir's lock: without it, they are someone's running database.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from thresher.storage.embedded.errors import EmbeddedError

# A fast shutdown writes a checkpoint; the sharper signals are for a postmaster that does not get there.
STEPS = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
POLL_SECONDS = 0.02


async def end_orphans(folder: Path) -> None:
    """Stop every PostgreSQL process that works in `folder`, and remove a pid file that names a stranger.

    Raises EmbeddedError if one stays.
    """
    for step, seconds in STEPS:
        for pid in _processes(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, step)
        if await _gone(folder, seconds):
            break
    if left := _processes(folder):
        raise EmbeddedError(f"process {left[0]} still uses the database in {folder} and does not end. Kill it.")
    _forget_namesake(folder)


def _forget_namesake(folder: Path) -> None:
    # Process ids are used again, soonest in containers, and PostgreSQL would take any namesake for its postmaster.
    # Nobody works in the folder, as was just seen; a dead process's file is left to PostgreSQL's own checks.
    pid = _postmaster(folder)
    if sys.platform == "linux" and pid is not None and Path(f"/proc/{pid}").exists():
        (folder / "postmaster.pid").unlink(missing_ok=True)


async def _gone(folder: Path, seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while _processes(folder):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


def _processes(folder: Path) -> list[int]:
    """The ids of the PostgreSQL processes of this database; the postmaster's alone where there is no /proc."""
    if not folder.is_dir():
        return []
    if sys.platform != "linux":
        pid = _postmaster(folder)
        return [pid] if pid is not None and "postgres" in _command(pid) else []
    here = folder.stat()
    # Every PostgreSQL process stays in its database's folder; the name keeps an operator's shell there alive.
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_ours(entry, here)]


def _is_ours(process: Path, folder: os.stat_result) -> bool:
    try:
        return os.path.samestat((process / "cwd").stat(), folder) and (process / "comm").read_text() == "postgres\n"
    except OSError:  # ended meanwhile, or another user's
        return False


def _postmaster(folder: Path) -> int | None:
    try:
        return int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _command(pid: int) -> str:
    listing = subprocess.run(["/bin/ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603
    return listing.stdout
