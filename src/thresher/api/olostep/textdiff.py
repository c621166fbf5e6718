"""A unified diff of two texts, in bounded time and size whatever they are. Pure."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import accumulate

CONTEXT = 3  # lines around each change
MOST_CHARS = 2**20  # of each text
MOST_LINES = 10_000  # of each, from the first that differs to the last
MOST_STEPS = 3_000_000  # of the search for what they have in common: half a second
MOST_OUT = 2**18  # characters of a diff


class TooLarge(Exception):
    """The texts, or what is different in them, are beyond a limit."""


def unified(before: str, now: str) -> str:
    """The diff of two texts, each with a line feed after its last line; "" if they are the same. Raises TooLarge."""
    if max(len(before), len(now)) > MOST_CHARS:
        raise TooLarge
    one, other = _split(before), _split(now)
    head = _alike(one, other)
    tail = _alike(one[:head:-1], other[:head:-1])
    head, tail = max(head - CONTEXT, 0), max(tail - CONTEXT, 0)  # the lines around what differs are shown
    one, other = one[head : len(one) - tail], other[head : len(other) - tail]
    if max(len(one), len(other)) > MOST_LINES:
        raise TooLarge
    text = "\n".join(_lines(one, other, head))
    if len(text) > MOST_OUT:
        raise TooLarge
    return f"--- before\n+++ now\n{text}\n" if text else ""


def _split(text: str) -> list[str]:
    """Its lines, which only a line feed ends: what else ends one elsewhere is a difference like any other."""
    return text.removesuffix("\n").split("\n") if text else []


def _alike(one: list[str], other: list[str]) -> int:
    """How many lines the two begin with in common."""
    shorter = min(len(one), len(other))
    return next((n for n in range(shorter) if one[n] != other[n]), shorter)


def _lines(one: list[str], other: list[str], skipped: int) -> Iterator[str]:
    for group in _Matcher(one, other).get_grouped_opcodes(CONTEXT):
        (_, a, _, b, _), (_, _, a_end, _, b_end) = group[0], group[-1]
        yield f"@@ -{_range(a + skipped, a_end - a)} +{_range(b + skipped, b_end - b)} @@"
        for kind, i, i_end, j, j_end in group:
            if kind == "equal":
                yield from (f" {line}" for line in one[i:i_end])
                continue
            yield from (f"-{line}" for line in one[i:i_end])
            yield from (f"+{line}" for line in other[j:j_end])


def _range(start: int, length: int) -> str:
    """Lines as a hunk names them: from 1; of an empty range the line before it."""
    begin = start + 1 if length else start
    return str(begin) if length == 1 else f"{begin},{length}"


class _Matcher(SequenceMatcher[str]):
    """The library's, which may take the cube of the lines, up to a number of steps. Raises TooLarge."""

    def __init__(self, one: list[str], other: list[str]) -> None:
        super().__init__(None, one, other)
        # Each look at a line of the one costs a step for every line of the other that is the same.
        self._steps = list(accumulate((1 + len(self.b2j.get(line, ())) for line in one), initial=0))  # type: ignore[attr-defined]  # it is documented
        self._left = MOST_STEPS

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None):  # type: ignore[no-untyped-def]
        self._left -= self._steps[ahi] - self._steps[alo]  # type: ignore[index]  # the library gives all four
        if self._left < 0:
            raise TooLarge
        return super().find_longest_match(alo, ahi, blo, bhi)
