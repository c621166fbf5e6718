"""What one check comes to."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # Thresher runs, and something will not do what one expects
    MISSING = "missing"  # something necessary is not there


@dataclass(frozen=True, slots=True)
class Finding:
    """`found` is what is there, for a person; `remedy` one sentence that says what to do, empty when all is well."""

    state: State
    found: str
    remedy: str = ""


def ok(found: str) -> Finding:
    """Nothing to do."""
    return Finding(State.OK, found)


def warning(found: str, remedy: str = "") -> Finding:
    """It can wait."""
    return Finding(State.WARNING, found, remedy)


def missing(found: str, remedy: str = "") -> Finding:
    """It cannot. The remedy may be left out where `found` says it already."""
    return Finding(State.MISSING, found, remedy)
