"""A feed as a document: its title and description, then every entry with link, date, author and content.

What the entries hold as HTML goes through the converter for HTML. Knows none of the formats that feeds come in.
"""

import html as escaping
from dataclasses import dataclass, field

from thresher.convert import html, markup
from thresher.convert.html import Page
from thresher.convert.laps import Laps
from thresher.convert.xmltree import tidy


@dataclass(slots=True)
class Entry:
    """`content` is HTML; `base` is what references in it are relative to. Of the feed itself it is the description."""

    title: str = ""
    link: str | None = None
    date: str = ""
    author: str = ""
    content: str = ""
    base: str = ""
    enclosures: list[str] = field(default_factory=list)


def page(head: Entry, entries: list[Entry], about: dict[str, str]) -> Page:
    """The document of a feed: `head` is the feed itself, `about` further metadata of it (empty values are left out)."""
    parts, texts, links = [], [], dict[str, None]()
    for entry, level in ((head, "#"), *((entry, "##") for entry in entries)):
        link, *enclosures = (_web(target) for target in (entry.link, *entry.enclosures))
        if title := entry.title or (link or "" if level == "##" else ""):
            parts.append(f"{level} {markup.link(title, link) if link else markup.plain(title)}")
            texts.append(title)
        if byline := tidy(" · ".join(filter(None, (entry.date, entry.author if level == "##" else "")))):
            parts.append(markup.plain(byline))
            texts.append(byline)
        content = _content(entry)
        parts += [content.markdown.strip(), *(f"<{target}>" for target in enclosures if target)]
        texts.append(content.text)
        links |= dict.fromkeys(filter(None, (link, *enclosures, *content.links)))
    about |= {"description": _content(head).text[:10_000], "author": head.author}
    metadata = {key: tidy(value) for key, value in about.items() if value.strip()}
    body, text = ("\n\n".join(filter(None, pieces)).replace("\0", "") for pieces in (parts, texts))
    return Page(tidy(head.title) or None, body + "\n", text, list(links), metadata)


def paragraphs(text: str) -> str:
    """Plain text as HTML."""
    return "".join(f"<p>{escaping.escape(part)}</p>" for part in text.split("\n\n") if part.strip())


def _content(entry: Entry) -> Page:
    if not entry.content.strip():
        return Page(None, "", "", [], {})
    return html.convert(entry.content, entry.base, Laps())


def _web(target: str | None) -> str | None:
    return target if target is not None and target.startswith(("http://", "https://")) else None
