"""Where the files of a test run lie: in memory where there is room, for a disk is half of what a test costs."""

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
NEEDED = 4 * 2**30  # bytes; a run holds a tenth of it at once, unless tests fail and leave theirs to be looked at


def use_memory() -> None:
    """Have this process and its children keep temporary files in memory; TMPDIR goes first, and a disk without room."""
    if "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def _has_room() -> bool:
    if not os.access(MEMORY, os.R_OK | os.W_OK | os.X_OK):
        return False
    found = os.statvfs(MEMORY)
    # Some tests put programs there and run them, which a container's /dev/shm mostly forbids; it has no room, either.
    return not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize >= NEEDED
