"""Every link of a page to a web address, with what it says of itself."""

from typing import Any

from thresher.convert.parsers.page import Page, name_of


def parse(page: Page) -> dict[str, Any]:
    """{links: [{href, text, rel}]}"""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for element, target in page.anchors():
        if not target.startswith(("http://", "https://")):
            continue
        text = name_of(element)
        rel = (element.attr("rel") or "").lower().split()
        found.setdefault((target, text), {"href": target, "text": text, "rel": rel})
    return {"links": [*found.values()]}
