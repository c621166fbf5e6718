"""The parts of an item's frame that go into a larger reply, a line of an export or an item of a page. CPU work, for a thread.

What is stored as JSON goes out as it lies there. Knows the frame's form, not where it lies.
"""

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from thresher.api import pages
from thresher.api.olostep.queries import EXPORTED
from thresher.convert.frame import Frame, FrameError
from thresher.domain.failure import ItemFailed
from thresher.domain.links import LinkOptions, chosen

_STORED = ("markdown", "text", "links")  # as JSON


class Parts:
    """What to take of each frame: some formats. `html_limit` is in bytes of decoded body; `limit` in bytes of JSON, beyond which
    a frame need not be read, for its reader has no use for so much.
    """

    def __init__(self, formats: Collection[str], html_limit: int, limit: int | None = None) -> None:
        self.formats = tuple(name for name in EXPORTED if name in formats)
        self._stored = tuple(name for name in _STORED if name in formats)
        self._texts = [name for name in self._stored if name != "links"]  # of links, fewer may be chosen
        self._limit = limit
        self._pages = "pages" in formats
        # UTF-16 has up to two bytes for one of JSON.
        self._html_limit = html_limit if limit is None else min(html_limit, 2 * limit + 2)

    def read(
        self, data: memoryview | None, links: LinkOptions | None = None
    ) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """The header of a frame, and its parts by the names of their formats, null for what there is not; of its links those
        that are wanted, all for None.

        `size_exceeded` is among them if one is beyond its limit. Raises FrameError, also if there is no frame.
        """
        if data is None:
            raise FrameError("there is no frame")
        frame = Frame.parse(data)
        found: dict[str, Any] = dict.fromkeys(self.formats)
        if self._limit is not None and frame.json_size(self._texts, pages=self._pages) > self._limit:
            return frame.header, found | {"size_exceeded": True}
        if self._stored:
            document = frame.document_json()
            found |= {name: orjson.Fragment(document[name]) for name in self._stored}
            if links and "links" in found:
                found["links"] = chosen(orjson.loads(document["links"]), frame.header["url"], links)
        try:
            if "html" in found:
                found["html"] = frame.html(self._html_limit)
            if "json" in found:
                found["json"] = frame.json(self._html_limit)
            if self._pages and frame.pages:
                found["pages"] = pages.whole(frame.pages)
        except ItemFailed:  # the limit was lowered since the page was fetched
            found["size_exceeded"] = True
        return frame.header, found
