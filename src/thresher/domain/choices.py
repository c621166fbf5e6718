"""What a batch, or an item of it, may choose about how pages are fetched, judged and read, and what is the case when it does not.

The words are those of the request, of the options in the database, and of the command line.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from thresher.domain.documents import DocumentOptions
from thresher.domain.parse import ParseJob


class RobotsMode(StrEnum):
    """What a robots.txt that disallows a page means: the item fails; it is noted on the item; nothing, and it is not asked for."""

    OBEY = "obey"
    REPORT = "report"
    IGNORE = "ignore"


class OnBlocked(StrEnum):
    """What becomes of an answer that is not the page: the item fails, or the answer is kept with the verdict beside it."""

    FAIL = "fail"
    KEEP = "keep"


class Content(StrEnum):
    """What of a page becomes its markdown and text: all that a reader sees, or the element with its running text."""

    PAGE = "page"
    MAIN = "main"


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices for one item. `country` is a code or RANDOM, in upper case; `parser` an id or an alias;
    `definition` what it does if it is not built in, as JSON; `document` how a batch of the parse API is to be converted.

    `timeout`: seconds that an attempt may take on the network, None for the engine's. `headers` may hold secrets: they go to the
    item's own origin and nowhere else, no log and no record included.
    """

    robots: RobotsMode = RobotsMode.OBEY
    on_blocked: OnBlocked = OnBlocked.FAIL
    country: str | None = None
    parser: str | None = None
    content: Content = Content.PAGE
    timeout: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    definition: str | None = field(default=None, repr=False)
    document: DocumentOptions | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Self:
        """From the options and headers of a batch as they are stored, which were checked at its creation."""
        document = ParseJob.of(options).document if "parse" in options else None
        main = document is not None and document.main_content
        return cls(
            RobotsMode(options.get("robots", RobotsMode.OBEY)),
            OnBlocked(options.get("on_blocked", OnBlocked.FAIL)),
            options.get("country"),
            options.get("parser"),
            Content.MAIN if main else Content(options.get("content", Content.PAGE)),
            headers=headers or {},
            document=document,
        )

    def over(self, options: Mapping[str, Any] | None, headers: Mapping[str, str] | None) -> Self:
        """With what an item chooses for itself, as it is stored. Its headers take the place of all of the batch's."""
        if options is None and headers is None:
            return self
        own = options or {}
        return replace(
            self,
            parser=own.get("parser", self.parser),
            content=Content(own.get("content", self.content)),
            timeout=own.get("timeout", self.timeout),
            headers=self.headers if headers is None else headers,
        )

    @property
    def request(self) -> Hashable:
        """What is equal in choices that make the same request for a page, whatever they read in it."""
        return self.robots, self.country, self.timeout, tuple(self.headers.items())
