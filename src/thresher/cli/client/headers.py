"""`--header`: what is to be sent with every request of a batch. Values may be secrets, so no message shows one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from thresher.cli.errors import ExitCode, fail


def read_headers(given: Sequence[str]) -> dict[str, str] | None:
    """Headers by their names, from `Name: value` and from `@FILE`, which has one a line. None without any.

    Ends the command for what is no header. Which names may be sent is for the server to say.
    """
    headers: dict[str, str] = {}
    for place, line in _lines(given):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            fail(f"{place} is not NAME: VALUE.", ExitCode.USAGE)
        if not line.isascii() and line != line.encode(errors="replace").decode():
            fail(f"{place} is not UTF-8.", ExitCode.USAGE)
        if name.strip() in headers:
            fail(f"{place} names {name.strip()} again.", ExitCode.USAGE)
        headers[name.strip()] = value.strip()
    return headers or None


def _lines(given: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each header with what it is called in messages."""
    for number, text in enumerate(given, 1):
        if not text.startswith("@"):
            yield f"--header {number}", text
            continue
        try:
            lines = Path(text[1:]).read_text("utf-8", "surrogateescape").splitlines()
        except OSError as error:
            fail(f"--header {text} cannot be read: {error.strerror}", ExitCode.USAGE)
        yield from ((f"{text[1:]} line {at}", line) for at, line in enumerate(lines, 1) if line.strip())
