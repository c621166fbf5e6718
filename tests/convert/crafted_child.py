"""A converter child as any other, but that some URLs have got hold of it: the path says what it then does."""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from thresher.convert import child, wire
from thresher.convert.convert import convert as really_convert
from thresher.convert.document import Document, Source

ANSWERS = 4  # the protocol's descriptor: 0 to 2 are standard, 3 has the requests


def spin() -> None:
    while True:
        pass


def tell(data: bytes) -> None:
    os.write(ANSWERS, data)


def answer(header: Any) -> None:
    tell(b"".join(wire.pack(header)))


LEFT_BEHIND: list[bytes] = []

DEEDS: dict[str, Callable[[], object]] = {
    "/segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "/abort": os.abort,
    "/killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "/exit": lambda: os._exit(3),
    "/leave": lambda: sys.exit(4),
    "/spin": spin,
    "/hang": lambda: time.sleep(3600),
    "/garbage": lambda: tell(b"x" * 100),
    "/no json": lambda: tell(wire.PREFIX.pack(2, 0) + b"{x"),
    "/no object": lambda: answer([1]),
    "/no words": lambda: answer({}),
    "/no such code": lambda: answer({"ok": False, "code": "sunshine", "detail": ""}),
    "/endless header": lambda: tell(wire.PREFIX.pack(2**31, 0) + b"x" * 2**16),
    "/endless body": lambda: tell(wire.PREFIX.pack(2, 2**32 - 1) + b"{}"),
    "/swell": lambda: LEFT_BEHIND.append(b"x" * 300 * 2**20),
    "/hang up": lambda: os.close(ANSWERS),
}


def convert(source: Source, **how: Any) -> Document:
    for name, deed in DEEDS.items():
        if source.url.endswith(name):
            deed()
            if name != "/swell":
                time.sleep(3600)
    return really_convert(source, **how)


if __name__ == "__main__":
    child.convert = convert  # type: ignore[attr-defined]
    sys.exit(child.main(sys.argv[1:]))
