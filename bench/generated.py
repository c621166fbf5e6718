"""Made pages of about the size and the structure of real ones, the same for the same seed.

As measured on 100 real pages: half of the bytes are scripts, styles and attributes; a page has some hundred links, most
of them in its navigation. Words follow Zipf's law, so that compression finds about as much as in real text.
"""

import itertools
import json
import random
from collections.abc import Iterator

MEDIAN_BYTES = 90_000
_SPREAD = 0.7  # of the logarithm of the size
_SYLLABLES = [c + v + e for c in "bdfgklmnprstvz" for v in "aeiou" for e in ("", "n", "r", "s", "l")]
_LEXICON = random.Random(1)
_WORDS = ["".join(_LEXICON.choices(_SYLLABLES, k=_LEXICON.randint(1, 4))) for _ in range(4000)]
_SHARES = list(itertools.accumulate(1 / rank for rank in range(1, len(_WORDS) + 1)))


class _Writer:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def phrase(self, low: int, high: int) -> str:
        return " ".join(self.random.choices(_WORDS, cum_weights=_SHARES, k=self.random.randint(low, high)))

    def sentence(self) -> str:
        return self.phrase(6, 22).capitalize() + "."

    def path(self) -> str:
        return f"/{self.phrase(1, 1)}/{self.phrase(2, 5).replace(' ', '-')}-{self.random.randint(1, 99999)}"

    def link(self) -> str:
        return f'<a class="link link--{self.phrase(1, 1)}" href="{self.path()}">{self.phrase(1, 5)}</a>'

    def paragraph(self) -> str:
        parts = []
        for _ in range(self.random.randint(2, 6)):
            parts.append(self.sentence())
            chance = self.random.random()
            if chance < 0.15:
                parts.append(self.link())
            elif chance < 0.25:
                parts.append(f"<strong>{self.phrase(1, 3)}</strong> &amp; <em>{self.phrase(1, 3)}</em>")
        return f"<p>{' '.join(parts)}</p>"


def page(seed: int, median_bytes: int = MEDIAN_BYTES) -> str:
    """One page. Sizes are log-normal around `median_bytes`, from a tenth to five times of it."""
    writer = _Writer(seed)
    size = median_bytes * min(max(writer.random.lognormvariate(0, _SPREAD), 0.1), 5.0)
    title = writer.phrase(3, 8).capitalize()
    head = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="description" content="{writer.sentence()}"><meta property="og:title" content="{title}">',
        f'<link rel="canonical" href="{writer.path()}">',
        f'<script type="application/ld+json">{json.dumps({"@type": "Article", "author": writer.phrase(2, 2)})}</script>',
        *_machinery(writer, size * 0.35),
        "</head><body>",
        *_navigation(writer, size * 0.15),
        f"<main><article><h1>{title}</h1>",
    ]
    tail = ["</article></main>", *_navigation(writer, size * 0.05), "</body></html>"]
    return "\n".join([*head, *_body(writer, size * 0.5), *tail])


def _until(pieces: Iterator[str], size: float) -> Iterator[str]:
    """Pieces up to `size` characters in all."""
    while size > 0:
        piece = next(pieces)
        size -= len(piece)
        yield piece


def _machinery(writer: _Writer, size: float) -> Iterator[str]:
    def pieces() -> Iterator[str]:
        while True:
            rules = (f".{writer.phrase(1, 1)}-{n}{{margin:{n}px;color:#{n:06x}}}" for n in range(20))
            yield f"<style>{''.join(rules)}</style>"
            data = {writer.phrase(1, 1): [writer.phrase(1, 4), writer.random.random()] for _ in range(20)}
            yield f"<script>window.{writer.phrase(1, 1)}=function(e,t){{return e<t&&{json.dumps(data)}}};</script>"

    return _until(pieces(), size)


def _navigation(writer: _Writer, size: float) -> Iterator[str]:
    def pieces() -> Iterator[str]:
        while True:
            entries = (f'<li class="menu__item">{writer.link()}</li>' for _ in range(8))
            yield f'<nav class="menu" data-id="{writer.random.random()}"><ul>{"".join(entries)}</ul></nav>'

    return _until(pieces(), size)


def _body(writer: _Writer, size: float) -> Iterator[str]:
    def pieces() -> Iterator[str]:
        while True:
            yield f'<section class="{writer.phrase(2, 4)}"><h2 id="{writer.phrase(1, 1)}">{writer.phrase(2, 7)}</h2>'
            for _ in range(writer.random.randint(2, 6)):
                yield writer.paragraph()
            yield writer.random.choice((_list, _table, _figure, _code))(writer)
            yield "</section>"

    return _until(pieces(), size)


def _list(writer: _Writer) -> str:
    return f"<ul>{''.join(f'<li>{writer.sentence()} {writer.link()}</li>' for _ in range(6))}</ul>"


def _table(writer: _Writer) -> str:
    rows = "".join(f"<tr>{''.join(f'<td>{writer.phrase(1, 3)}</td>' for _ in range(4))}</tr>" for _ in range(8))
    return (
        f'<div class="table-wrap"><table><thead><tr>{"<th>a</th>" * 4}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _figure(writer: _Writer) -> str:
    image = (
        f'<img src="{writer.path()}.jpg" srcset="{writer.path()}.jpg 2x" alt="{writer.phrase(2, 6)}" loading="lazy">'
    )
    return f'<figure class="media"><div><div>{image}</div></div><figcaption>{writer.sentence()}</figcaption></figure>'


def _code(writer: _Writer) -> str:
    lines = "\n".join(f"{writer.phrase(1, 1)} = {writer.phrase(1, 1)}({n})" for n in range(8))
    return f"<pre><code>{lines}</code></pre>"
