"""How a command fails: one readable line on standard error and an exit code, never a traceback for what is expected."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pydantic import ValidationError

    from thresher.settings import Settings

# Whether errors are JSON, `{"error": {"message", "exit_code"}}`; set once, by cli/main.py, for the whole process.
as_json = False

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ExitCode(IntEnum):
    """Every exit code of a command, as docs/cli.md has them."""

    OK = 0
    ERROR = 1  # it makes sense, and did not work; or the batch was cancelled
    USAGE = 2  # what was asked for makes no sense: a flag, a setting, a line of input
    ITEMS_FAILED = 3  # or files of the input were left out
    KEY = 4
    NOT_FOUND = 5
    DEADLINE = 6
    DIFFERENT = 7
    INTERRUPTED = 130
    READER_GONE = 141  # as programs end that SIGPIPE ends: 128 + 13


class CommandError(Exception):
    """An expected failure. `str()` says what is wrong and what to do next; `code` is the exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(message)
        self.code = code


def harmless(text: str, keep: str = "") -> str:
    """The text with control characters made visible, as `\\x1b`, but for those to `keep`."""
    return _CONTROLS.sub(lambda match: match[0] if match[0] in keep else repr(match[0])[1:-1], text)


def fail(message: str, code: ExitCode) -> NoReturn:
    """Print the message to standard error and exit."""
    said = {"error": {"message": message, "exit_code": code}}
    line = json.dumps(said) if as_json else f"thresher: {message}"
    print(harmless(line, keep="\n"), file=sys.stderr, flush=True)
    raise SystemExit(code)


@contextmanager
def expected_errors(database_url: str | None = None) -> Iterator[None]:
    """Turn expected exceptions of the block into `fail`. Others are bugs, and keep their traceback."""
    try:
        yield
    except CommandError as error:
        fail(str(error), error.code)
    except KeyboardInterrupt:
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except Exception as error:
        if (said := _of_storage(error, database_url)) is None:
            raise
        fail(said, ExitCode.ERROR)


def _of_storage(error: Exception, database_url: str | None) -> str | None:
    """What storage found missing, in a sentence; None of every other exception. Loaded only here: most commands need none of it."""
    from thresher.storage.blobs import StoreUnusable
    from thresher.storage.database import DatabaseUnavailable
    from thresher.storage.embedded import EmbeddedError

    if isinstance(error, DatabaseUnavailable):
        return (
            f"the database {redacted(database_url)} cannot be used. {error}. Is it running, and is DATABASE_URL right?"
        )
    return str(error) if isinstance(error, (EmbeddedError, StoreUnusable)) else None


def redacted(database_url: str | None) -> str:
    """The URL without user, password and query, for messages. Also where it is malformed: a password may hold /, ? or #."""
    if not database_url:
        return "(none)"
    scheme, separator, rest = database_url.partition("://")
    if not separator:
        return "(not a URL)"
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0].partition('#')[0]}"


def load_settings(**flags: object) -> "Settings":
    """The settings, with the flags that were given over everything else. Exits with code 2 if they are wrong."""
    from pydantic import ValidationError

    from thresher.settings import Settings

    file = os.environ.get("THRESHER_CONFIG")
    if file and not os.path.isfile(file):  # noqa: PTH113 - pydantic-settings would pass over a missing file in silence
        fail(f"THRESHER_CONFIG names {file}, which is not a file.", ExitCode.USAGE)
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        fail("these settings are wrong:\n" + "\n".join(_explained(error)), ExitCode.USAGE)
    except TOMLDecodeError as error:
        fail(f"the file {file}, named by THRESHER_CONFIG, is not TOML: {error}", ExitCode.USAGE)


def _explained(error: "ValidationError") -> Iterator[str]:
    from thresher.settings import Settings

    for detail in error.errors(include_url=False, include_context=False):
        name = str(detail["loc"][0]) if detail["loc"] else "settings"
        field = Settings.model_fields.get(name.lower())
        shown = name if field is None else f"{name} (THRESHER_{name.upper()})"
        given = detail["input"]
        if field is not None and not field.repr:
            yield f"  {'.'.join(map(str, (shown, *detail['loc'][1:])))}: {detail['msg']}"
            continue
        if isinstance(given, str) and "://" in given and "@" in given:
            given = redacted(given)
        yield f"  {shown} = {given!r}: {detail['msg']}"
        if field is not None and field.description:
            yield f"    {field.description}"


def need_database(settings: "Settings") -> str:
    """The DATABASE_URL. Raises CommandError if there is none."""
    if settings.database_url is None:
        raise CommandError(
            "DATABASE_URL is not set, and this command needs it (postgresql://user:password@host/name). "
            "To run everything on this machine, without a database of your own: thresher serve",
            code=ExitCode.USAGE,
        )
    return settings.database_url
