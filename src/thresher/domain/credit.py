"""Credits: what a batch's items cost, and how a request is refused that an account cannot pay for."""

from collections.abc import Mapping
from typing import Any

from thresher.domain import parsers
from thresher.domain.problem import Problem, ProblemCode

PAGE = 1  # credits for a completed item; one that fails costs nothing

_DIGITS = 6  # of a dollar: a product of floats has many more that mean nothing


def price(options: Mapping[str, Any]) -> int:
    """The credits that a completed item costs which is read under these options."""
    parser = parsers.find(options.get("parser") or "")
    return parser.credits if parser else PAGE


def in_usd(amount: int, usd_per_credit: float) -> float:
    """What so many credits cost, in US dollars."""
    return round(amount * usd_per_credit, _DIGITS)


def exhausted(needed: int, available: int) -> Problem:
    """The refusal of a request that needs more credits than there are."""
    return Problem(
        ProblemCode.CREDITS_EXHAUSTED, f"This needs {needed} credits, and the account has {available} available."
    )
