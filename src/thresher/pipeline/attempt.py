"""How one attempt at an item went, and the record that the item keeps of it. Plain values."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from thresher.domain.failure import Failure
from thresher.domain.url import Url


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt went. `frame` is the result, and `digest` what is compared of it; beside a `failure` it is the page in which no result was found. None if there is

    none, or if the item `moved`: then it goes on at that URL, in an attempt of its own. `record` is what the item keeps of the attempt:
    at, code, country, status, bytes, family, ms by phase, detail, charset, charset_source, charset_certainty, content, verdict; and
    of a page that was stored `reused`, whose it is, and `fetched_at`. `retry_after` is in seconds, where the server asked for a pause.
    """

    record: dict[str, Any]
    http: int | None
    failure: Failure | None = None
    frame: bytes | None = None
    retry_after: float | None = None
    moved: Url | None = None
    digest: bytes | None = None


def now() -> str:
    """This moment, as it stands in a record."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def timed(record: dict[str, Any], begun: float) -> dict[str, Any]:
    """The record with the seconds since then, without what is not known, and without NULs, which PostgreSQL does not take."""
    return _clean(record | {"seconds": round(time.monotonic() - begun, 3)})


def _clean(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.replace("\0", "") if isinstance(value, str) else value
        for key, value in record.items()
        if value is not None
    }
