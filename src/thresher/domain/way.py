"""How an item goes on: how far redirects have led it, and from which country, read from the records of its attempts.

A redirect to another host ends an attempt: its record has the code `moved`, the URLs that were left behind, and where to
go on. Knows nothing of how a redirect is followed, nor of who keeps the records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thresher.domain import url
from thresher.domain.failure import FailureCode

MOVED = "moved"
SKIPPED = "skipped"  # of a record of a file for which there was nothing to do

# What did not fail, but went on elsewhere, was left out, or was broken off by us.
_NO_FAILURE = frozenset({MOVED, SKIPPED, FailureCode.CANCELLED})


@dataclass(frozen=True, slots=True)
class Way:
    """Where an item's next attempt begins, and the URLs that it was redirected from, oldest first.

    `country`: that of the proxies which the latest attempt went through, if it had them for its country.
    """

    url: url.Url
    redirects: tuple[str, ...] = ()
    country: str | None = None


def way(ref: str, attempts: Sequence[dict[str, Any]]) -> Way:
    """The way of an item with this reference. Raises InvalidUrl for a reference that is none."""
    moves = [record for record in attempts if record.get("code") == MOVED]
    here = url.parse(moves[-1]["to"] if moves else ref)
    countries = [record["country"] for record in attempts if "country" in record]
    return Way(
        here, tuple(left for record in moves for left in record["redirects"]), countries[-1] if countries else None
    )


def begun_here(attempts: Sequence[dict[str, Any]]) -> bool:
    """Whether anything was tried where the item is now: not if it is new, or has only been sent here."""
    return bool(attempts) and attempts[-1].get("code") != MOVED


def failures(attempts: Sequence[dict[str, Any]]) -> int:
    """How many of the attempts failed: what the number of retries is counted by."""
    return sum(record.get("code") not in _NO_FAILURE for record in attempts)
