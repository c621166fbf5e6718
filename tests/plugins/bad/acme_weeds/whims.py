import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thresher.plugin import NoMatch, Page


def parse(page: Page) -> Any:
    print("This must not get between the messages.")
    whim = WHIMS.get(page.url.rpartition("/")[2])
    return whim() if whim else {"url": page.url, "nul": "\0" in page.html}


def fail() -> None:
    raise LookupError("half \ud800 a character")


def match_nothing() -> None:
    raise NoMatch


def interrupt() -> None:
    raise KeyboardInterrupt


def spin() -> None:
    while True:
        pass


def reach() -> dict[str, list[str]]:
    deeds = (
        lambda: socket.create_connection(("127.0.0.1", 9)),
        lambda: Path("/etc/passwd").read_bytes(),
        lambda: Path("/tmp/weed").write_text("x"),
    )
    return {"reached": [tried(deed) for deed in deeds]}


def tried(deed: Callable[[], object]) -> str:
    try:
        deed()
    except OSError as error:
        return type(error).__name__
    return "done"


WHIMS: dict[str, Callable[[], Any]] = {
    "list": lambda: [1],
    "set": lambda: {"set": {1}},
    "half": lambda: {"half": "\ud800"},
    "raise": fail,
    "nothing": match_nothing,
    "exit": lambda: sys.exit(4),
    "interrupt": interrupt,
    "spin": spin,
    "reach": reach,
}
