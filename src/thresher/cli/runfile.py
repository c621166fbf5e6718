"""`<data_dir>/server.json`: where the running server is, for the other commands of the same user."""

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

NAME = "server.json"


@contextlib.contextmanager
def running(data_dir: Path, url: str) -> Iterator[None]:
    """Have the file exist, mode 0600, while the block runs: `{"url", "pid", "started"}`, started in ISO 8601, UTC."""
    path = data_dir / NAME
    content = {"url": url, "pid": os.getpid(), "started": datetime.now(UTC).isoformat(timespec="seconds")}
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
    draft.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
