"""Items and their frames as the lines of an export: NDJSON, one object a line. CPU work, for a thread.

What is stored as JSON goes out as it lies there. Knows the frame's form, not where it lies.
"""

from typing import Any

import orjson

from thresher.api.olostep.queries import EXPORTED
from thresher.api.olostep.views import RetrieveId, error_view, failure_view, verdict_of
from thresher.convert.frame import Frame, FrameError
from thresher.domain.failure import FailureCode, ItemFailed
from thresher.domain.states import ItemState
from thresher.storage.items import Item


class Lines:
    """The lines of one batch. `html_limit` is in bytes of decoded body."""

    def __init__(self, batch: int, formats: frozenset[str], retrieve_id: RetrieveId, html_limit: int) -> None:
        self._batch = batch
        self._formats = tuple(name for name in EXPORTED if name in formats)
        self._stored = tuple(name for name in ("markdown", "text", "links") if name in formats)
        self._retrieve_id = retrieve_id
        self._html_limit = html_limit

    def line(self, item: Item, cursor: int, data: memoryview | None) -> bytes:
        """One item with the bytes of its frame, None if it has none or they cannot be had. Ends in a newline."""
        contents: dict[str, Any] = dict.fromkeys(("final_url", "title", *self._formats))
        error = error_view(item)
        if item.state is ItemState.COMPLETED:
            try:
                contents |= self._contents(data)
            except FrameError:
                error = failure_view(FailureCode.CONTENT_UNAVAILABLE)
        line = {
            "cursor": cursor,
            "custom_id": item.custom_id,
            "url": item.ref,
            "final_url": contents.pop("final_url"),
            "status": item.state.name.lower(),
            "http_status": item.http,
            **contents,
            "error": error,
            "attempts": len(item.attempts),
            "retrieve_id": self._retrieve_id(self._batch, item.ord),
        }
        if verdict := verdict_of(item):
            line["verdict"] = verdict
        if item.metadata:
            line["metadata"] = item.metadata
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _contents(self, data: memoryview | None) -> dict[str, Any]:
        if data is None:
            raise FrameError("there is no frame")
        frame = Frame.parse(data)
        found: dict[str, Any] = {"final_url": frame.header.get("url"), "title": frame.header.get("title")}
        if self._stored:
            document = frame.document_json()
            found |= {name: orjson.Fragment(document[name]) for name in self._stored}
        if "html" in self._formats:
            try:
                found["html"] = frame.html(self._html_limit)
            except ItemFailed:  # the limit was lowered since the page was fetched
                found["size_exceeded"] = True
        return found
