"""One item's result as GET /v1/retrieve answers it: from the bytes of a frame to the bytes of the reply.

CPU work on up to tens of megabytes, so it runs in a thread. Knows the frame's form, not where it lies.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from thresher.api.olostep.views import country_view, error_view, verdict_of
from thresher.convert.frame import Frame
from thresher.domain.failure import ItemFailed
from thresher.storage.items import Item

_KNOWN = ("url", "title", "content_type", "charset", "charset_source", "charset_certainty")
_HOSTED = ("html", "markdown", "text", "json", "screenshot", "file")


def render_failed(item: Item, retrieve_id: str) -> bytes:
    """The reply for an item without a result: no contents, `success` false, and why."""
    return orjson.dumps(
        {**_frame_of_reply(item, retrieve_id), "success": False, "error": error_view(item), "page_metadata": {}}
    )


def render(item: Item, retrieve_id: str, data: bytes, formats: frozenset[str], html_limit: int) -> bytes:
    """The reply for an item with a result. `html_limit` is in bytes of decoded body. Raises FrameError."""
    frame = Frame.parse(data)
    reply = {**_frame_of_reply(item, retrieve_id), "success": True}
    if "html" in formats:
        try:
            reply["html_content"] = frame.html(html_limit)
        except ItemFailed:  # the limit was lowered since the page was fetched
            reply["size_exceeded"] = True
    if "markdown" in formats:
        reply["markdown_content"] = frame.markdown
    if "text" in formats:
        reply["text_content"] = frame.text
    reply["links_on_page"] = frame.links
    reply["page_metadata"] = _page_metadata(item, frame.header)
    return orjson.dumps(reply)


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
        "html_content": None,
        "markdown_content": None,
        "text_content": None,
        "json_content": None,
        **{f"{name}_hosted_url": None for name in _HOSTED},
        "links_on_page": [],
        "page_metadata": {},
        "attempts": item.attempts,
    }
    if verdict := verdict_of(item):
        reply["verdict"] = verdict
    return reply | country_view(item)


def _page_metadata(item: Item, header: Mapping[str, Any]) -> dict[str, Any]:
    """What the page declares of itself, under what is known of its fetch. `url` is the one after redirects."""
    known = {name: header.get(name) for name in _KNOWN}
    return {**(header.get("metadata") or {}), **known, "status_code": item.http}
