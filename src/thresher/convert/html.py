"""An HTML page to markdown, text, links, title and metadata, from one parse.

The order matters: what is read from the head and the links first, on the whole tree; then the tree is pruned in
place of all that no reader sees, and rendered; the main content last, which prunes it further. Knows neither bytes nor charsets.
"""

from dataclasses import dataclass
from typing import Any

import turbohtml

from thresher.convert.laps import Laps
from thresher.convert.links import Resolver, settle
from thresher.convert.maincontent import main_content
from thresher.convert.metadata import metadata_of, title_of

# What no reader sees. html and body stay even when they are hidden: pages hide them until a script has run.
UNSEEN = (
    "script,style,noscript,template,svg,iframe,object,canvas,select,datalist,"
    "dialog:not([open]),[hidden]:not(html,body),[aria-hidden=true i]:not(html,body)"
)


@dataclass(frozen=True, slots=True)
class Page:
    """What is read from an HTML page, or made of another document. `is_json`: the document is one valid JSON value.

    `main`: the markdown and text of the main content, None if it was not asked for or there is none.
    """

    title: str | None
    markdown: str
    text: str
    links: list[str]
    metadata: dict[str, Any]
    is_json: bool = False
    main: tuple[str, str] | None = None


def convert(html: str, url: str, laps: Laps, *, main: bool = False) -> Page:
    """Convert the page `html` found at `url` (absolute), and its main content if that is wanted. Links in the markdown are
    absolute, save those into the page.

    Steps booked on `laps`: parse, metadata, links, prune, markdown, text, main.
    """
    # Scripting on: noscript is then one text instead of a subtree, and is dropped as a browser would.
    document = turbohtml.parse(html, positions=False, scripting=True)
    laps.lap("parse")
    resolver = Resolver(base_of(document, url))
    metadata = metadata_of(document, resolver)
    title = title_of(document, metadata)
    laps.lap("metadata")
    links = settle(document, resolver, url)
    laps.lap("links")
    document.remove(UNSEEN)
    laps.lap("prune")
    markdown, text = _rendered(document, laps)
    return Page(title, markdown, text, links, metadata, main=_main(document, laps) if main else None)


def rendered(html: str) -> tuple[str, str]:
    """Markdown and text of HTML that is no page of the web: links in it stay as they are."""
    document = turbohtml.parse(html, positions=False, scripting=True)
    document.remove(UNSEEN)
    return _rendered(document, Laps())


def _rendered(element: turbohtml.Document | turbohtml.Element, laps: Laps) -> tuple[str, str]:
    """Markdown and text."""
    markdown = element.to_markdown()
    laps.lap("markdown")
    text = element.to_text().strip()
    markdown = _with_plain_spaces(markdown, text)
    laps.lap("text")
    return _without_nul(markdown), _without_nul(text)


def _main(document: turbohtml.Document, laps: Laps) -> tuple[str, str] | None:
    """Of a tree that may be changed."""
    found = main_content(document)
    laps.lap("main")
    if found is None:
        return None
    markdown, text = _rendered(found, laps)
    return (markdown, text) if text else None


def base_of(document: turbohtml.Document, url: str) -> str:
    """The base URL: the first base element with an href, resolved against `url`, unless it is not http(s)."""
    element = document.select_one("base[href]")
    if element is None:
        return url
    base = Resolver(url).resolve(element.attr("href") or "")
    return base if base and base.startswith(("http://", "https://")) else url


def _with_plain_spaces(markdown: str, text: str) -> str:
    """No-break spaces as the character, where the renderer writes a reference that only clutters the text.

    Left alone where the page's text has such a reference spelled out: then it may stand in its code.
    """
    return markdown if "&#160;" in text else markdown.replace("&#160;", "\u00a0")


def _without_nul(text: str) -> str:
    return text.replace("\0", "") if "\0" in text else text
