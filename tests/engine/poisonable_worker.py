"""A worker as any other, but that a page called `poison` kills it on the spot."""

import os
from collections.abc import Sequence

from thresher.domain.choices import Choices
from thresher.domain.way import Way
from thresher.engine import worker
from thresher.pipeline import item
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.gate import MayBegin
from thresher.settings import Settings
from thresher.storage.pages import Page

_attempt = item.attempt


async def attempt(
    target: Way, tools: item.Tools, timeout: float, wants: Sequence[Choices], may_begin: MayBegin, page: Page | None
) -> list[Attempt]:
    if target.url.path.endswith("/poison"):
        os._exit(9)
    return await _attempt(target, tools, timeout, wants, may_begin, page)


if __name__ == "__main__":
    item.attempt = attempt
    worker.run(Settings())
