"""What a page that has taken over the converter could try, each tried in a process confined like a converter child.

Run as a program with the path of a file that the tests own, and "documents" for a child of that kind. Writes one JSON object: the trial, and "done" or the error.
"""

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from thresher.convert import child
from thresher.convert.documents.made import Bounds

SECRET, PARENT = Path(sys.argv[1]), os.getppid()
LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """A function of libc."""
    if getattr(LIBC, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def system(number: int, *arguments: object) -> None:
    if LIBC.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), str(number))


def thread() -> None:
    ran = threading.Event()
    started = threading.Thread(target=ran.set)
    started.start()
    started.join()
    assert ran.is_set()


def descriptors() -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(100):
            opened.callback(os.close, os.dup(0))


def grow() -> None:
    bytearray(2**30)


TRIALS: dict[str, Callable[[], object]] = {
    "socket ipv4": lambda: socket.socket(socket.AF_INET),
    "socket ipv6": lambda: socket.socket(socket.AF_INET6),
    "socket udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "socket unix": lambda: socket.socket(socket.AF_UNIX),
    "socket netlink": lambda: socket.socket(socket.AF_NETLINK),
    "socketpair": socket.socketpair,
    "socketpair of another family": lambda: call("socketpair", 2, 1, 0, ctypes.create_string_buffer(8)),
    "connect": lambda: call("connect", 0, b"\x01\0/x", 4),
    "send with a descriptor": lambda: call("sendmsg", 1, None, 0),
    "io_uring": lambda: system(425, 8, ctypes.create_string_buffer(256)),
    "fork": os.fork,
    "another program": lambda: os.execv("/bin/true", ["true"]),
    "another process": lambda: subprocess.run(["/bin/true"], check=True),
    "clone3": lambda: system(435, None, 0),
    "ptrace": lambda: call("ptrace", 16, PARENT, None, None),
    "kill the parent": lambda: os.kill(PARENT, signal.SIGTERM),
    "kill everyone": lambda: os.kill(-1, 0),
    "pidfd": lambda: os.pidfd_open(PARENT),
    "unshare": lambda: call("unshare", 0x10000000),
    "memfd": lambda: os.memfd_create("x"),
    "shared memory": lambda: call("shmget", 0, 4096, 0o1600),
    "more memory by setrlimit": lambda: resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40)),
    "more memory by prlimit": lambda: resource.prlimit(0, resource.RLIMIT_AS, (2**40, 2**40)),
    "memory": grow,
    "write": lambda: SECRET.write_text("x"),
    "append": lambda: SECRET.open("a"),
    "make": lambda: (SECRET.parent / "new").touch(),
    "make a folder": lambda: (SECRET.parent / "new").mkdir(),
    "remove": SECRET.unlink,
    "rename": lambda: SECRET.rename(SECRET.parent / "new"),
    "chmod": lambda: SECRET.chmod(0o777),
    "read": SECRET.read_text,
    "the parent's environment": lambda: Path(f"/proc/{PARENT}/environ").read_bytes(),
    "the users": lambda: Path("/etc/passwd").read_text(),
    "root's own": lambda: os.chroot("/"),
    "many descriptors": descriptors,
    # what later converters need
    "a library": lambda: Path(os.__file__).read_bytes()[:1],
    "a thread": thread,
    "the limits read": lambda: resource.prlimit(0, resource.RLIMIT_STACK),
    "a signal to itself": lambda: os.kill(os.getpid(), 0),
}


def attempt(trial: Callable[[], object]) -> str:
    try:
        trial()
    except MemoryError:
        return "MemoryError"
    except ValueError:  # what the resource module makes of it
        return "EPERM"
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def main() -> None:
    _, answers, _ = child.prepare(PARENT, 512 * 2**20, documents=Bounds() if sys.argv[2:] else None)
    found = {name: attempt(trial) for name, trial in TRIALS.items()}
    answers.write(json.dumps(found).encode())
    answers.flush()


main()
