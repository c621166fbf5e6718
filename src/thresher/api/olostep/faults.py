"""What is wrong with a request, gathered: one refusal names several places, so that a caller mends them in one go."""

from collections.abc import Sequence
from typing import Any, Self

from thresher.domain.problem import Problem, ProblemCode

MOST = 20  # places named in one answer


class EnoughFaults(Exception):
    """There are as many faults as an answer names: looking on would only cost time."""


class Faults:
    """The faults of one request body, in the order they were found. `with Faults() as faults:` raises them at its end."""

    def __init__(self) -> None:
        self._errors: list[dict[str, Any]] = []
        self.metadata: dict[str, str] = {}  # of the request; a refusal gives it back

    @property
    def count(self) -> int:
        """How many there are so far."""
        return len(self._errors)

    def add(self, loc: tuple[str | int, ...], message: str, kind: str = "value_error") -> None:
        """Note a fault at `loc`, a path such as ("items", 3, "url"). Raises EnoughFaults at the limit."""
        self._errors.append({"loc": ["body", *loc], "msg": message, "type": kind})
        if len(self._errors) >= MOST:
            raise EnoughFaults

    def add_all(self, at: tuple[str | int, ...], others: "Faults") -> None:
        """Note the faults of a part of the request that was looked at by itself, and is `at` that place of it."""
        for error in others._errors:
            self.add((*at, *error["loc"][1:]), error["msg"], error["type"])

    def add_problem(self, loc: tuple[str | int, ...], problem: Problem) -> None:
        """Note what a rule of the domain refused."""
        self.add(loc, str(problem.errors[0]["msg"]) if problem.errors else problem.detail, "metadata")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raise Problem(validation_error) if there is a fault; its detail is the first one."""
        if error is not None and not isinstance(error, EnoughFaults):
            return
        if not self._errors:
            return
        first = self._errors[0]
        where, message = path(first["loc"][1:]), first["msg"]
        # A client compares the documented text of a fault in the batch's own metadata.
        detail = message if where in ("", "metadata") else f"{where}: {message}"
        others = len(self._errors) - 1
        if others:
            more = "at least " if len(self._errors) >= MOST else ""
            detail += f" (and {more}{others} more; see errors)"
        members = {"metadata": self.metadata}
        raise Problem(ProblemCode.VALIDATION_ERROR, detail, errors=self._errors, members=members)


def path(loc: Sequence[str | int]) -> str:
    """("items", 3, "url") as `items[3].url`, ("line", 3, "url") as `line 3, url`."""
    if loc and loc[0] == "line":
        return f"line {loc[1]}" + (f", {path(loc[2:])}" if loc[2:] else "")
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def kind_of(value: object) -> str:
    """What a JSON value is, in words for the caller."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
