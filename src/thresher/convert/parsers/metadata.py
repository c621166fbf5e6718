"""What a page declares of itself, in every form that there is: the usual names in one place, and each form as it was found."""

from typing import Any

from turbohtml import MicrodataItem, RdfaItem

from thresher.convert import metadata
from thresher.convert.parsers.page import Page, tidy

_NAMES = ("description", "language", "canonical", "author", "site_name", "published", "modified", "robots", "generator")
_GRAPHS = ("og:", "article:", "book:", "product:", "profile:", "video:", "music:", "fb:")
_FEEDS = ("application/rss+xml", "application/atom+xml", "application/feed+json")
_MOST = 500  # of each form; honest pages have tens


def parse(page: Page) -> dict[str, Any]:
    """Everything; what the page does not have is null or empty."""
    tree = page.tree
    known = metadata.metadata_of(tree, page.resolver)
    named = _named(page)
    image = named.get("og:image") or named.get("og:image:url") or named.get("twitter:image")
    return {
        "title": metadata.title_of(tree, known),
        **{name: known.get(name) for name in _NAMES},
        "image": page.web(image),
        "icon": _linked(page, "link[rel~='icon' i][href]"),
        "keywords": [word for part in known.get("keywords", "").split(",") if (word := tidy(part))],
        "feeds": _feeds(page),
        "alternates": _alternates(page),
        "opengraph": {name: value for name, value in named.items() if name.startswith(_GRAPHS)},
        "twitter": {name[8:]: value for name, value in named.items() if name.startswith("twitter:")},
        "dublin_core": {name: value for name, value in named.items() if name.startswith(("dc.", "dcterms."))},
        "json_ld": [*metadata.json_ld(tree)][:_MOST],
        "microdata": [plain(item) for item in tree.microdata(base_url=page.url)[:_MOST]],
        "rdfa": [plain(item) for item in tree.rdfa(base_url=page.url)[:_MOST] if item.type],
    }


def plain(item: MicrodataItem | RdfaItem) -> dict[str, Any]:
    """{type, id, properties} of one item, with the items in it."""
    types = item.type if isinstance(item, RdfaItem) else item.type.split() if item.type else []
    properties = {
        name: [plain(value) if isinstance(value, MicrodataItem | RdfaItem) else tidy(str(value)) for value in values]
        for name, values in item.properties.items()
    }
    return {"type": [*types], "id": item.resource if isinstance(item, RdfaItem) else item.id, "properties": properties}


def _named(page: Page) -> dict[str, str]:
    """The contents of meta elements by their names in lower case, the first of each."""
    found: dict[str, str] = {}
    for element in page.tree.select("meta[content]"):
        name = (element.attr("property") or element.attr("name") or "").strip().lower()
        value = tidy(element.attr("content"))
        if name and value and len(found) < _MOST:
            found.setdefault(name, value)
    return found


def _linked(page: Page, selector: str) -> str | None:
    element = page.tree.select_one(selector)
    return page.web(element.attr("href")) if element is not None else None


def _feeds(page: Page) -> list[str]:
    links = page.tree.select("link[rel~='alternate' i][type][href]")
    urls = (page.web(one.attr("href")) for one in links if (one.attr("type") or "").strip().lower() in _FEEDS)
    return [*dict.fromkeys(filter(None, urls))]


def _alternates(page: Page) -> dict[str, str]:
    links = page.tree.select("link[rel~='alternate' i][hreflang][href]")
    found = ((tidy(one.attr("hreflang")), page.web(one.attr("href"))) for one in links)
    return {language: url for language, url in found if language and url}
