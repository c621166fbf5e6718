"""The pages of a document as they are shown, mostly as the parse API does. Pure: from the pages of a frame to plain values.

A page that could not be converted stands in its place, with the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from thresher.convert.documents.items import of_page

Page = Mapping[str, Any]  # with the members of convert.document.DocumentPage
Shown = list[dict[str, Any]]


def whole(pages: Sequence[Page]) -> Shown:
    """The pages with all their members, as docs/documents.md has them."""
    return [{**page, "items": of_page(page)} for page in pages]


def markdown(pages: Sequence[Page]) -> Shown:
    return [_failed(page) or {**_number(page), "markdown": page["markdown"], "success": True} for page in pages]


def text(pages: Sequence[Page]) -> Shown:
    return [{**_number(page), "text": page["text"]} for page in pages]


def items(pages: Sequence[Page]) -> Shown:
    return [_failed(page) or {**_number(page), **_structure(page), "success": True} for page in pages]


def metadata(pages: Sequence[Page]) -> Shown:
    return [
        {
            **_number(page),
            "printed_page_number": page["label"],
            "speaker_notes": page["notes"],
            "sheet_name": page["name"],
        }
        for page in pages
    ]


def forms(pages: Sequence[Page]) -> Shown:
    """Forms are not told from other text."""
    return [_failed(page) or {**_number(page), "forms": [], "success": True} for page in pages]


VIEWS: dict[str, Callable[[Sequence[Page]], Shown]] = {
    "markdown": markdown,
    "text": text,
    "items": items,
    "metadata": metadata,
    "forms": forms,
}


def as_json(name: str, pages: Sequence[Page]) -> str:
    """One view of all pages as a file of its own."""
    return orjson.dumps({"pages": VIEWS[name](pages)}).decode()


def _number(page: Page) -> dict[str, Any]:
    return {"page_number": page["number"]}


def _failed(page: Page) -> dict[str, Any] | None:
    return {**_number(page), "error": page["error"], "success": False} if page["error"] else None


def _structure(page: Page) -> dict[str, Any]:
    # Clients require numbers, also where the format has no such thing as a size.
    return {"page_width": page["width"] or 0.0, "page_height": page["height"] or 0.0, "items": of_page(page)}
