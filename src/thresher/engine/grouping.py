"""The items of a claimed shard, with what each chose, and those together that are one piece of work.

That is one request for equal URLs that are asked for alike, one stored page, one conversion of equal bytes. Pure.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace

from thresher.domain.choices import Choices
from thresher.domain.way import way
from thresher.engine.politeness import Task
from thresher.pipeline.file import File
from thresher.storage.inputs import Bytes
from thresher.storage.pages import Page
from thresher.storage.shards import Claim, ItemFile, ShardItem


class Chosen:
    """What the items of a claim choose, each for itself and all by their batch."""

    def __init__(self, claim: Claim) -> None:
        self._batch = Choices.of(claim.options, claim.headers)
        self._definitions = claim.definitions

    def by(self, item: ShardItem) -> Choices:
        choices = self._batch.over(item.options, item.headers)
        definition = self._definitions.get(choices.parser or "")
        return replace(choices, definition=definition) if definition else choices


def grouped(
    items: Iterable[ShardItem], chosen: Chosen, pages: Mapping[int, Page], files: Mapping[int, Bytes], *, applied: bool
) -> list[Task]:
    """Tasks of the items, in their order; `pages` are stored ones, `files` the bytes of those that are files, by the items'

    positions. `applied`: what is no file is made of a stored page.
    """
    tasks: dict[Hashable, Task] = {}
    for item in items:
        if item.file is not None:
            file = File(item.ref, item.file.name, files[item.ord])
            tasks.setdefault(_same(item.file), Task([], file=file)).items.append(item)
            continue
        there, page = way(item.ref, item.attempts), pages.get(item.ord)
        alike = page if applied else (there.url.href, there.redirects, there.country)
        task = tasks.setdefault((alike, chosen.by(item).request), Task([], there, page))
        task.items.append(item)
        task.page = task.page or page
    return list(tasks.values())


def _same(file: ItemFile) -> Hashable:
    """What is equal in files that are the same: their bytes, and what a name may tell of these."""
    return file.content, file.name.rpartition(".")[2].lower()
