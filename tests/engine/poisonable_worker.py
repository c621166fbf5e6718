"""A worker as any other, but that a page called `poison` kills it on the spot."""

import os

from thresher.domain.choices import Choices
from thresher.domain.way import Way
from thresher.engine import worker
from thresher.pipeline import item
from thresher.pipeline.gate import MayBegin
from thresher.settings import Settings

_attempt = item.attempt


async def attempt(
    target: Way, tools: item.Tools, timeout: float, choices: Choices, may_begin: MayBegin
) -> item.Attempt:
    if target.url.path.endswith("/poison"):
        os._exit(9)
    return await _attempt(target, tools, timeout, choices, may_begin)


if __name__ == "__main__":
    item.attempt = attempt
    worker.run(Settings())
