"""What a batch may choose about how its pages are fetched and judged, and what is the case when it does not.

The words are those of the request, of the batch's options in the database, and of the command line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class RobotsMode(StrEnum):
    """What a robots.txt that disallows a page means: the item fails; it is noted on the item; nothing, and it is not asked for."""

    OBEY = "obey"
    REPORT = "report"
    IGNORE = "ignore"


class OnBlocked(StrEnum):
    """What becomes of an answer that is not the page: the item fails, or the answer is kept with the verdict beside it."""

    FAIL = "fail"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of one batch. `country` is a code or RANDOM, in upper case; `parser` an id or an alias."""

    robots: RobotsMode = RobotsMode.OBEY
    on_blocked: OnBlocked = OnBlocked.FAIL
    country: str | None = None
    parser: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """From the options of a batch as they are stored, which were checked at its creation."""
        return cls(
            RobotsMode(options.get("robots", RobotsMode.OBEY)),
            OnBlocked(options.get("on_blocked", OnBlocked.FAIL)),
            options.get("country"),
            options.get("parser"),
        )
