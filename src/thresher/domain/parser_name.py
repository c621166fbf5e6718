"""The names of parsers of one's own: which there may be, and how one is referred to, with its version or without."""

import re
from dataclasses import dataclass

from thresher.domain import parsers

MAX_NAME = 100
LATEST = 2**31 - 1  # no version is beyond
NAME = r"(?:@[a-z0-9][a-z0-9-]*/)?[a-z0-9][a-z0-9._-]*"
REFERENCE = rf"^{NAME}(?:@[1-9][0-9]{{0,9}})?$"
RULE = f"has at most {MAX_NAME} characters: lower-case letters, digits, dots, dashes and underscores, as in my-shop or @acme/my-shop"

_NAME = re.compile(NAME)
_REFERENCE = re.compile(rf"({NAME})(?:@([1-9][0-9]{{0,9}}))?")
_RESERVED = re.compile(r"@(?:thresher|olostep)/.*|none")


@dataclass(frozen=True, slots=True)
class Reference:
    """A parser of an account's own; without a version the newest is meant. As text: my-shop@3."""

    name: str
    version: int | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"


def refusal(name: str) -> str | None:
    """Why a parser cannot be called so; None if it can."""
    if len(name) > MAX_NAME or _NAME.fullmatch(name) is None:
        return f"the name of a parser {RULE}"
    if _RESERVED.fullmatch(name) or parsers.find(name):
        return f"{name} is the name of a parser that is there for everybody, or kept for one"
    return None


def read(text: str) -> Reference | None:
    """What a text refers to, whether there is such a parser or not; None if it is no name."""
    match = _REFERENCE.fullmatch(text)
    if match is None or len(match[1]) > MAX_NAME:
        return None
    version = int(match[2]) if match[2] else None
    return Reference(match[1], version) if version is None or version <= LATEST else None
