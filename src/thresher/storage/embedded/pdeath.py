"""Becomes another program that dies when its parent dies: `python pdeath.py PARENT SIGNAL UID:GID|- PROGRAM [ARG...]`.

Run as a file by a bare interpreter, so it imports only the standard library and must not import thresher.
A separate exec instead of `preexec_fn`: that one runs Python between fork and exec, which threads can deadlock.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Drop privileges, ask for SIGNAL at the parent's death, and exec. Exits 128 when the parent is dead already."""
    parent, number, identity, *command = argv
    if identity != "-":
        uid, gid = (int(part) for part in identity.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # Only now: the kernel clears the request when credentials change (prctl(2), PR_SET_PDEATHSIG).
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(128)
    os.execv(command[0], command)  # noqa: S606 - the whole purpose; no shell is involved


if __name__ == "__main__":
    main(sys.argv[1:])
