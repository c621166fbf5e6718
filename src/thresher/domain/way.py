"""How far redirects have led an item, read from the records of its attempts.

A redirect to another host ends an attempt: its record has the code `moved`, the URLs that were left behind, and where to
go on. Knows nothing of how a redirect is followed, nor of who keeps the records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thresher.domain import url
from thresher.domain.failure import FailureCode

MOVED = "moved"

# What did not fail, but went on elsewhere, or was broken off by us.
_NO_FAILURE = frozenset({MOVED, FailureCode.CANCELLED})


@dataclass(frozen=True, slots=True)
class Way:
    """Where an item's next attempt begins, and the URLs that it was redirected from, oldest first."""

    url: url.Url
    redirects: tuple[str, ...] = ()


def way(ref: str, attempts: Sequence[dict[str, Any]]) -> Way:
    """The way of an item with this reference. Raises InvalidUrl for a reference that is none."""
    moves = [record for record in attempts if record.get("code") == MOVED]
    if not moves:
        return Way(url.parse(ref))
    return Way(url.parse(moves[-1]["to"]), tuple(left for record in moves for left in record["redirects"]))


def begun_here(attempts: Sequence[dict[str, Any]]) -> bool:
    """Whether anything was tried where the item is now: not if it is new, or has only been sent here."""
    return bool(attempts) and attempts[-1].get("code") != MOVED


def failures(attempts: Sequence[dict[str, Any]]) -> int:
    """How many of the attempts failed: what the number of retries is counted by."""
    return sum(record.get("code") not in _NO_FAILURE for record in attempts)
