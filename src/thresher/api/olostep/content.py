"""One item's result as GET /v1/retrieve answers it: from a frame to the bytes of the reply.

CPU work on up to tens of megabytes, so it runs in a thread. Knows the frame's form, not where it lies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from thresher.api import pages
from thresher.api.olostep.queries import FORMATS, USUAL, Window
from thresher.api.olostep.views import country_view, error_view, file_view, main_view, reuse_view, verdict_of
from thresher.convert.frame import Frame
from thresher.domain.failure import ItemFailed
from thresher.domain.links import LinkOptions, chosen
from thresher.storage.items import Item

_KNOWN = ("url", "title", "content_type", "charset", "charset_source", "charset_certainty")
_HOSTED = (*USUAL, "screenshot", "file")
_WHOLE = ("json", "pages")  # a part of JSON is no JSON

UrlOf = Callable[[str], str]  # a format to the URL of that content


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. `html_limit` is in bytes of decoded body, `inline_limit` in bytes of all contents in UTF-8; `links` is
    the choice of links that holds for the item, None for all.
    """

    formats: frozenset[str]
    window: Window | None
    html_limit: int
    inline_limit: int
    links: LinkOptions | None


@dataclass(slots=True)
class _Contents:
    """The contents asked for that there are, whole and as they are given; `refused` if one is beyond its limit."""

    whole: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    refused: bool = False


def content_of(frame: Frame, name: str, html_limit: int) -> str | None:
    """One content by the name of its format (or that of the document's pages), None if the item has none.

    Raises ItemFailed if the limit of a decoded body was lowered since the page was fetched.
    """
    match name:
        case "html":
            return frame.html(html_limit)
        case "json":
            return frame.json(html_limit)
        case "markdown":
            return frame.markdown
        case "text":
            return frame.text
        case "pages":
            return orjson.dumps(pages.whole(frame.pages)).decode() if frame.pages else None
        case _:
            return pages.as_json(name, frame.pages) if frame.pages else None


def render_failed(item: Item, retrieve_id: str) -> bytes:
    """The reply for an item without a result: no contents, `success` false, and why."""
    return orjson.dumps(
        {**_frame_of_reply(item, retrieve_id), "success": False, "error": error_view(item), "page_metadata": {}}
    )


def render(item: Item, retrieve_id: str, frame: Frame, wanted: Wanted, url_of: UrlOf) -> bytes:
    """The reply for an item with a result. Raises FrameError."""
    contents = _contents(frame, wanted)
    exceeded = sum(map(_size, contents.given.values())) > wanted.inline_limit
    if exceeded:
        contents.given.clear()
    reply = {**_frame_of_reply(item, retrieve_id), "size_exceeded": exceeded or contents.refused}
    if "pages" in wanted.formats:
        reply |= {"pages_content": None, "pages_hosted_url": None}
    reply |= {f"{name}_content": _as_json(name, text) for name, text in contents.given.items()}
    reply |= {f"{name}_hosted_url": url_of(name) for name in contents.whole}
    if wanted.window:
        reply["window"] = _window_view(wanted.window, contents)
    reply["links_on_page"] = _links(frame, wanted.links)
    reply["page_metadata"] = _page_metadata(item, frame.header)
    return orjson.dumps(reply)


def _contents(frame: Frame, wanted: Wanted) -> _Contents:
    found = _Contents()
    for name in FORMATS:
        if name not in wanted.formats:
            continue
        try:
            text = content_of(frame, name, wanted.html_limit)
        except ItemFailed:
            found.refused = True
            continue
        if text is not None:
            found.whole[name] = text
            cut = _cut(name, text, wanted.window)
            if cut is not None:
                found.given[name] = cut
    return found


def _cut(name: str, text: str, window: Window | None) -> str | None:
    """What of a content lies in the window; of JSON all or nothing."""
    if window is None:
        return text
    end = len(text) if window.max_chars is None else window.offset + window.max_chars
    if name in _WHOLE:
        return text if window.offset == 0 and len(text) <= end else None
    return text[window.offset : end]


def _as_json(name: str, text: str) -> str | orjson.Fragment:
    """Pages go out as the array that they are. What a parser made is a text, as clients know it."""
    return orjson.Fragment(text) if name == "pages" else text


def _window_view(window: Window, contents: _Contents) -> dict[str, Any]:
    """The window, and where the next one begins: nowhere behind the end, and here if this one was too large to be given."""
    ends: dict[str, int | None] = {}
    for name, text in contents.whole.items():
        end = window.offset + len(contents.given.get(name, ""))
        ends[name] = end if name not in _WHOLE and end < len(text) else None
    return {
        "offset": window.offset,
        "max_chars": window.max_chars,
        "total_chars": {name: len(text) for name, text in contents.whole.items()},
        "next_offset": ends,
    }


def _links(frame: Frame, options: LinkOptions | None) -> list[str]:
    return chosen(frame.links, frame.header["url"], options) if options else frame.links


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _frame_of_reply(item: Item, retrieve_id: str) -> dict[str, Any]:
    """Every key of the reply, with nothing in those that a format fills."""
    reply: dict[str, Any] = {
        "id": retrieve_id,
        "retrieve_id": retrieve_id,
        "object": "retrieve",
        "url": item.ref,
        "custom_id": item.custom_id,
        "success": True,
        "size_exceeded": False,
        **{f"{name}_content": None for name in USUAL},
        **{f"{name}_hosted_url": None for name in _HOSTED},
        "links_on_page": [],
        "page_metadata": {},
        "attempts": item.attempts,
    }
    if verdict := verdict_of(item):
        reply["verdict"] = verdict
    return reply | file_view(item) | country_view(item) | main_view(item) | reuse_view(item.attempts)


def _page_metadata(item: Item, header: Mapping[str, Any]) -> dict[str, Any]:
    """What the page declares of itself, under what is known of its fetch. `url` is the one after redirects."""
    known = {name: header.get(name) for name in _KNOWN}
    return {**(header.get("metadata") or {}), **known, "status_code": item.http}
