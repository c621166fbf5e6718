"""A worker as any other, but that a page called `poison` kills it on the spot."""

import os

from thresher.domain.choices import Choices
from thresher.domain.url import Url
from thresher.engine import worker
from thresher.pipeline import item
from thresher.settings import Settings

_attempt = item.attempt


async def attempt(target: Url, tools: item.Tools, timeout: float, choices: Choices) -> item.Attempt:
    if target.path.endswith("/poison"):
        os._exit(9)
    return await _attempt(target, tools, timeout, choices)


if __name__ == "__main__":
    item.attempt = attempt
    worker.run(Settings())
