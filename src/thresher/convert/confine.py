"""What a converter child gives up, for good, before it reads its first page: the whole of its confinement, in order.

Memory, files, privileges, the file system, then system calls. A mechanism that the kernel does not have is named, and
the rest holds all the same. Knows nothing of pages and pipes; the time that a page may take is child.py's.
"""

import ctypes
import os
import resource
import sys
from collections.abc import Iterable

from thresher.convert import landlock, seccomp

_DESCRIPTORS = 64  # six are open; libraries map a file now and then
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522  # capset(2)
_CAPSET = {"x86_64": 126, "aarch64": 91}


def confine(memory_bytes: int, *, threads: bool = False, readable: Iterable[str] = ()) -> list[str]:
    """Confine this process, which may have one thread. Returns what could not be had: "seccomp", "landlock", "memory".

    `memory_bytes`: address space beyond what is used now. `threads`: a library will start a pool of them, which takes a
    pair of sockets that reach nothing but this process. `readable`: what may be read besides, empty ones left out.
    """
    os.chdir("/")
    _limit_files()
    missing = [] if _limit_memory(memory_bytes) else ["memory"]
    if sys.platform != "linux":
        return [*missing, "landlock", "seccomp"]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _drop_capabilities(libc)
    if not landlock.restrict(libc, _readable() | {path for path in readable if path}):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # at least no file grows, though that silences a log as well
        missing.append("landlock")
    if not seccomp.restrict(libc, pairs=threads):  # the last one: it refuses what the others need
        missing.append("seccomp")
    return missing


def _limit_files() -> None:
    """Few are open, and no core dump holds other people's pages."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))


def _limit_memory(extra: int) -> bool:
    """Cap the address space at what is used now plus `extra` bytes."""
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - no need for pathlib in a process this small
            pages = int(statm.read().split()[0])
    except OSError:
        return False  # not Linux: RLIMIT_AS has no usable meaning there
    limit = pages * resource.getpagesize() + extra
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return True


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """As root: be root in name only. Others have none to drop."""
    number = _CAPSET.get(os.uname().machine)
    if number is not None:
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        libc.syscall(number, header, (ctypes.c_uint32 * 6)())


def _readable() -> set[str]:
    """What may be read: the interpreter, the libraries, fonts and zones. Not: /proc, /etc, home folders, the data dir."""
    system = {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share", "/etc/ld.so.cache", "/dev/null", "/dev/urandom"}
    return system | {path for path in (sys.prefix, sys.base_prefix, *sys.path) if path not in ("", "/")}
