"""A worker with bugs: at pages called `bug`, and in its own bookkeeping the first time it meets one called `slip`."""

from collections.abc import Sequence
from typing import Any

from thresher.domain.choices import Choices
from thresher.domain.way import Way
from thresher.engine import worker
from thresher.engine.shard import ShardRun
from thresher.pipeline import item
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.gate import MayBegin
from thresher.settings import Settings
from thresher.storage.pages import Page

_attempt = item.attempt
_conclude = ShardRun._conclude
_slips = 1


async def attempt(
    target: Way, tools: item.Tools, timeout: float, wants: Sequence[Choices], may_begin: MayBegin, page: Page | None
) -> list[Attempt]:
    if target.url.path.endswith("/bug"):
        raise ZeroDivisionError("a bug at this page")
    return await _attempt(target, tools, timeout, wants, may_begin, page)


def conclude(self: ShardRun, about: Any, *rest: Any) -> None:
    global _slips
    if about.items[0].ref.endswith("/slip") and _slips:
        _slips -= 1
        raise KeyError("a bug in the bookkeeping")
    _conclude(self, about, *rest)


if __name__ == "__main__":
    item.attempt = attempt
    ShardRun._conclude = conclude  # type: ignore[method-assign]
    worker.run(Settings())
