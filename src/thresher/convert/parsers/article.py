"""The article of a page: its main content, and what the page says about it."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from thresher.convert import metadata
from thresher.convert.html import UNSEEN
from thresher.convert.links import settle
from thresher.convert.maincontent import main_content
from thresher.convert.parsers.page import Page, nothing, tidy
from thresher.convert.parsers.values import plain, several, text

_EXCERPT = 300  # characters
_BYLINE = 100  # characters; what is longer is a biography
_BY = re.compile(r"^(?:by|von|par|por|di)\s+", re.IGNORECASE)
_BYLINES = "[rel~=author i], [itemprop~=author i], .byline, .author"
_TIMES = "time[itemprop~=datePublished i][datetime], time[pubdate][datetime], article time[datetime], time[datetime]"
_WORDS = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+(?:['\u2019-]\w+)*"
)


def parse(page: Page) -> dict[str, Any]:
    """The article. Raises ItemFailed(parser_no_match) if there is no running text."""
    tree = page.tree
    known = metadata.metadata_of(tree, page.resolver)
    declared = next(_declared(page), {})
    facts = {
        "title": _title(page, known, declared),
        "byline": _byline(page, known, declared),
        "published": text(declared.get("datePublished")) or known.get("published") or _time(page),
        "modified": text(declared.get("dateModified")) or known.get("modified"),
        "language": known.get("language"),
        "site_name": known.get("site_name"),
        "image": page.web(known.get("opengraph", {}).get("image")),
    }
    settle(tree, page.resolver, page.url)
    tree.remove(UNSEEN)
    content = main_content(tree)
    shown = content.to_text().strip() if content is not None else ""
    if content is None or not shown:
        raise nothing("running text that could be an article")
    excerpt = plain(known.get("description")) or next(
        (part for part in map(tidy, shown.split("\n\n")) if len(part) > 60), shown
    )
    made = {"excerpt": _cut(tidy(excerpt)), "markdown": content.to_markdown().strip(), "text": shown}
    return {**facts, **made, "word_count": sum(1 for _ in _WORDS.finditer(shown))}


def _declared(page: Page) -> Iterator[dict[str, Any]]:
    """What JSON-LD says of articles."""
    for node in chain.from_iterable(map(metadata.nodes, metadata.json_ld(page.tree))):
        kinds = node.get("@type")
        if any(isinstance(kind, str) and kind.endswith(("Article", "Posting", "Report")) for kind in several(kinds)):
            yield node


def _title(page: Page, known: dict[str, Any], declared: dict[str, Any]) -> str | None:
    headings = (tidy(heading.text) for heading in page.tree.select("h1"))
    candidates = (
        plain(declared.get("headline")),
        known.get("opengraph", {}).get("title"),
        next(filter(None, headings), None),
    )
    return next(filter(None, candidates), None) or metadata.title_of(page.tree, known)


def _byline(page: Page, known: dict[str, Any], declared: dict[str, Any]) -> str | None:
    authors = (one.get("name") if isinstance(one, dict) else one for one in several(declared.get("author")))
    if names := [name for author in authors if (name := text(author)) and not _is_url(name)]:
        return ", ".join(dict.fromkeys(names))
    if (author := known.get("author")) and not _is_url(author):
        return str(author)
    shown = (_BY.sub("", tidy(element.text)) for element in page.tree.select(_BYLINES))
    return next((name for name in shown if 0 < len(name) <= _BYLINE), None)


def _time(page: Page) -> str | None:
    element = page.tree.select_one(_TIMES)
    return tidy(element.attr("datetime")) or None if element is not None else None


def _cut(text: str) -> str:
    """To a whole word, if it is too long."""
    if len(text) <= _EXCERPT:
        return text
    return text[: _EXCERPT - 1].rpartition(" ")[0].rstrip(" ,;:") + "\u2026"


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://", "//"))
