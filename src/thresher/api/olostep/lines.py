"""Items and their frames as the lines of an export: NDJSON, one object a line. CPU work, for a thread."""

from collections.abc import Mapping
from typing import Any

import orjson

from thresher.api.olostep.parts import Parts
from thresher.api.olostep.views import (
    RetrieveId,
    country_view,
    error_view,
    file_view,
    main_view,
    reuse_view,
    told,
    verdict_of,
)
from thresher.convert.frame import FrameError
from thresher.domain.failure import FailureCode, failure_view
from thresher.domain.links import LinkOptions
from thresher.domain.states import ItemState
from thresher.storage.items import Item


class Lines:
    """The lines of one export, with some parts of the frames."""

    def __init__(self, parts: Parts, retrieve_id: RetrieveId, names: Mapping[int, str] | None = None) -> None:
        """`names`: the public ids of the batches, by their keys, if the lines are to say of which one they are."""
        self._names = names
        self._parts = parts
        self._retrieve_id = retrieve_id

    def line(self, item: Item, cursor: int, data: memoryview | None) -> bytes:
        """One item with the bytes of its frame, None if it has none or they cannot be had. Ends in a newline."""
        header: Mapping[str, Any] = {}
        contents: Mapping[str, Any] = dict.fromkeys(self._parts.formats)
        error = error_view(item)
        if item.state is ItemState.COMPLETED:
            try:
                header, contents = self._parts.read(data, LinkOptions.of(item.options))
            except FrameError:
                error = failure_view(FailureCode.CONTENT_UNAVAILABLE)
        line = {
            "cursor": cursor,
            "custom_id": item.custom_id,
            "url": item.ref,
            "final_url": header.get("url"),
            "status": item.state.name.lower(),
            "http_status": item.http,
            "title": header.get("title"),
            **contents,
            "error": error,
            "attempts": len(item.attempts),
            "retrieve_id": self._retrieve_id(item.batch, item.ord),
        }
        if verdict := verdict_of(item):
            line["verdict"] = verdict
        line |= (
            file_view(item)
            | country_view(item)
            | main_view(item)
            | reuse_view(told(item.attempts[-1:], self._retrieve_id))
        )
        if self._names is not None:
            line["batch_id"] = self._names[item.batch]
        if item.metadata:
            line["metadata"] = item.metadata
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
