"""A page that is stored, read back as it was fetched: to be converted anew, or to be asked after.

Knows nothing of who may have which page, nor of how long one is good.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from thresher.convert.frame import Frame, FrameError
from thresher.net.budget import Lease
from thresher.net.fetch import SMALL
from thresher.net.fetched import Fetched, Validators
from thresher.storage.blobs import BlobMissing, Blobs
from thresher.storage.pages import Page


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored page. `fetched` is the answer that it came with, `at` when that was or when the site last confirmed it (UTC, None if

    that is not known), `country` where it was asked for from. `doubtful`: it may be no page, but a challenge that was kept.
    """

    page: Page
    fetched: Fetched
    at: str | None
    country: str | None
    doubtful: bool

    @property
    def origin(self) -> dict[str, int]:
        """Whose page it is, as it is written into the record of an attempt."""
        return {"batch": self.page.batch, "item": self.page.ord}

    @property
    def validators(self) -> Validators | None:
        """What the site can be asked by whether the page is still the same; None if it has not said, or is not to be believed."""
        headers = self.fetched.headers
        found = Validators(self.fetched.url, headers.get("etag"), headers.get("last-modified"))
        return found if found.headers and not self.doubtful else None

    def is_good(self, max_age: float) -> bool:
        """Whether the page is younger than that, in seconds. One from a clock that is ahead of ours is of no known age."""
        if self.at is None or self.doubtful:
            return False
        return 0 <= (datetime.now(UTC) - datetime.fromisoformat(self.at)).total_seconds() < max_age

    def confirmed(self, answer: Fetched) -> Fetched:
        """The page after a 304: as it is stored, by the way that the answer came."""
        renewed = {name: answer.headers[name] for name in ("etag", "last-modified") if name in answer.headers}
        headers = self.fetched.headers | renewed
        return replace(self.fetched, headers=headers, redirects=answer.redirects, ms=answer.ms)


async def open_page(store: Blobs, page: Page, lease: Lease) -> Stored | None:
    """The page, or None if it is no longer in the store, or damaged. A large one waits for room in `lease`, and a small one

    that is large when it is decompressed.
    """
    size = page.span.length
    try:
        if size > SMALL:
            await lease.grow(size)
        frame = Frame.parse(await store.read(*page.span))
        if (size := size + frame.body_size) <= SMALL:
            return _read(page, frame)
        await lease.grow(size)
        return await asyncio.to_thread(_read, page, frame)
    except (BlobMissing, FrameError):
        return None


def _read(page: Page, frame: Frame) -> Stored:
    header, meta = frame.header, frame.header["meta"]
    fetched = Fetched(
        url=header["url"],
        status=meta.get("status_code", 200),
        body=frame.body,
        content_type=header["content_type"],
        content_encoding=header["content_encoding"],
        headers=meta.get("headers", {}),
        redirects=meta.get("redirects", []),
        family=4,
        ms={},
    )
    at: Any = meta.get("fetched_at")
    return Stored(page, fetched, at, meta.get("country"), "verdict" in header)
