"""What of a body a create would refuse, item by item: a forecast names the first ones, counts all, and goes on behind each."""

from dataclasses import dataclass
from typing import Any

from thresher.api.olostep.faults import Faults, path

MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item that is refused: its place, `invalid_` and the field or `duplicate_custom_id`, and the reason in words."""

    index: int
    entry: Any  # as it was sent
    code: str
    reason: str


class Refusals(Faults):
    """The faults of items, of each the first one. `entries` are all items as they were sent."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Any] = []
        self.indexes: set[int] = set()
        self.first: list[Refusal] = []

    @property
    def count(self) -> int:
        return len(self.indexes)

    def add(self, loc: tuple[str | int, ...], message: str, kind: str = "value_error") -> None:
        """Note a fault of the item at `loc`, a path such as ("items", 3, "url")."""
        index = int(loc[1])
        if index in self.indexes:
            return
        self.indexes.add(index)
        if len(self.first) < MOST_SHOWN:
            reason = (
                f"{path(loc[2:])}: {message}" if len(loc) > 3 else message
            )  # which one of several is not in the code
            self.first.append(Refusal(index, self.entries[index], _code(loc, kind), reason))


def _code(loc: tuple[str | int, ...], kind: str) -> str:
    field = str(loc[2]) if len(loc) > 2 else "url" if loc[0] == "urls" else "item"
    return f"duplicate_{field}" if kind == "duplicate" else f"invalid_{field}"
