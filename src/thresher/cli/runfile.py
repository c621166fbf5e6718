"""`<data_dir>/server.json`: where the running server is and the key that opens it, for the same user's other commands.

Knows nothing of whether that key is in the database; cli/setup.py puts it there.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from thresher.cli.errors import CommandError, ExitCode

NAME = "server.json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server to talk to. `url` has no slash at its end and no `/v1`; `key` is sent as `Authorization: Bearer`."""

    url: str
    key: str


@dataclass(frozen=True, slots=True)
class Note:
    """What server.json says. `pid` is the process that wrote it: `thresher serve`, or a command with its own server."""

    endpoint: Endpoint
    pid: int

    def writer_lives(self) -> bool:
        """Whether a process of that id runs: the file outlives a server that was killed."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


def write(data_dir: Path, endpoint: Endpoint) -> None:
    """Write the file, mode 0600: `{"url", "key", "pid", "started"}`; started is in ISO 8601, UTC."""
    content = {
        "url": endpoint.url,
        "key": endpoint.key,
        "pid": os.getpid(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path = data_dir / NAME
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
    draft.replace(path)


def read(data_dir: Path) -> Note | None:
    """What the file says; None if there is none, or none that can be understood. Raises CommandError if it is not ours."""
    path = data_dir / NAME
    try:
        content = json.loads(path.read_bytes())
        return Note(Endpoint(str(content["url"]), str(content["key"])), int(content["pid"]))
    except PermissionError as error:
        raise CommandError(
            f"{path} belongs to another user. To use that user's server, set THRESHER_URL and THRESHER_API_KEY.",
            code=ExitCode.KEY,
        ) from error
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(data_dir: Path) -> None:
    """Take the file away, if it is there."""
    (data_dir / NAME).unlink(missing_ok=True)
