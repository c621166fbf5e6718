"""What is written for people and to standard output: control characters of others do nothing, and a failure is said.

Names, titles and addresses come from other people; what they hold must not move a cursor or set a window's title.
"""

import os
import re
import sys

from thresher.cli.errors import CommandError, ExitCode, harmless

# In JSON control characters below 0x20 are escaped already, and those above can only stand in strings.
_UPPER_CONTROLS = re.compile(rb"\x7f|\xc2[\x80-\x9f]")

__all__ = ["harmless", "harmless_json", "put"]


def harmless_json(data: bytes) -> bytes:
    """JSON, in UTF-8, that means the same and has no control characters."""
    return _UPPER_CONTROLS.sub(lambda match: b"\\u%04x" % ord(match[0].decode()), data)


def put(text: str) -> None:
    """Write a line to standard output at once. Raises CommandError if that fails, SystemExit if nobody reads it."""
    if sys.stdout is None:
        raise CommandError("standard output is closed")
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer fails no more at the exit
        if isinstance(error, BrokenPipeError):
            raise SystemExit(ExitCode.READER_GONE) from None
        raise CommandError(f"standard output cannot be written: {error.strerror}") from error
