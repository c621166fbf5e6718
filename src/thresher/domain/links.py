"""Which of a page's links a batch asked for, in which order and form. Pure: the links of a page are always stored whole,
so a choice costs no fetch, and could be another one later.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self
from urllib.parse import unquote

from thresher.domain import globs

_WORD = re.compile(r"[^\W_]+")
_STEM = 3  # letters from which on a word counts for one that begins with it, half

# BM25: how soon more of the same word counts for nothing, and how much a long URL counts against itself.
_K1, _B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """`links_on_page` of a create. No `include` is all links; `query` is None for the order of the page."""

    absolute: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    query: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self | None:
        """From the options of a batch as they are stored, which were checked at its creation; None without this one."""
        stored = options.get("links_on_page")
        if stored is None:
            return None
        return cls(
            stored.get("absolute_links", True),
            tuple(stored.get("include_links", ())),
            tuple(stored.get("exclude_links", ())),
            stored.get("query_to_order_links_by"),
        )

    @property
    def characters(self) -> int:
        """Of all patterns with their braces written out. Raises globs.TooLong."""
        return sum(map(len, chain(globs.written_out(self.include), globs.written_out(self.exclude))))

    def to_json(self) -> dict[str, Any]:
        """As it is stored: what was left out stays out."""
        stored = {
            "absolute_links": self.absolute,
            "include_links": list(self.include),
            "exclude_links": list(self.exclude),
            "query_to_order_links_by": self.query,
        }
        return {name: value for name, value in stored.items() if value not in (None, [])}


def chosen(links: Sequence[str], page_url: str, options: LinkOptions) -> list[str]:
    """What the options leave of the absolute links of the page at `page_url`. What is excluded wins."""
    found = list(links)
    if options.include:
        included = globs.matcher(options.include)
        found = [link for link in found if included(link)]
    if options.exclude:
        excluded = globs.matcher(options.exclude)
        found = [link for link in found if not excluded(link)]
    if options.query:
        found = _by_relevance(found, options.query)
    return found if options.absolute else _without_origin(found, page_url)


def _without_origin(links: list[str], page_url: str) -> list[str]:
    """Links to the page's own origin without scheme and host, unless the rest would read as another host."""
    origin = "/".join(page_url.split("/", 3)[:3])
    return [
        link[len(origin) :]
        if link.startswith(origin + "/") and link[len(origin) + 1 :][:1] not in ("/", "\\")
        else link
        for link in links
    ]


def _by_relevance(links: list[str], query: str) -> list[str]:
    """The links by how well the words of their URLs fit the query; those that fit alike in the order they had."""
    likeness = _Likeness(set(_words(query)))
    counts: list[dict[str, float]] = []  # of each link, what its words count for those wanted that they are like
    lengths: list[int] = []
    holders: Counter[str] = Counter()
    for link in links:
        words = _words(unquote(link))
        found: dict[str, float] = {}
        for word in words:
            for wanted, value in likeness(word):
                found[wanted] = found.get(wanted, 0.0) + value
        counts.append(found)
        lengths.append(len(words))
        holders.update(found.keys())
    average = sum(lengths) / max(len(links), 1)
    rarity = {word: math.log(1 + (len(links) - held + 0.5) / (held + 0.5)) for word, held in holders.items()}

    def score(place: int) -> float:
        penalty = _K1 * (1 - _B + _B * lengths[place] / average)
        return math.fsum(rarity[word] * count * (_K1 + 1) / (count + penalty) for word, count in counts[place].items())

    return [links[place] for place in sorted(range(len(links)), key=score, reverse=True)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


class _Likeness:
    """What a word counts for the wanted ones: 1 for itself, half for its beginning or its continuation. However many are
    wanted, a word takes a few look-ups.
    """

    def __init__(self, wanted: set[str]) -> None:
        self._begun: dict[str, list[tuple[str, float]]] = {}  # a word, or the beginning of some, to those
        for word in wanted:
            self._begun.setdefault(word, []).append((word, 1.0))
            for end in range(_STEM, len(word)):
                self._begun.setdefault(word[:end], []).append((word, 0.5))
        self._wanted = wanted
        self._ends = sorted({len(word) for word in wanted if len(word) >= _STEM})

    def __call__(self, word: str) -> Iterator[tuple[str, float]]:
        yield from self._begun.get(word, ())
        for end in self._ends:
            if end >= len(word):
                return
            if word[:end] in self._wanted:
                yield word[:end], 0.5
