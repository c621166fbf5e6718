"""What all shards of a worker share: what makes something of items, what settles them, and how much may be under way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from thresher.domain.choices import Choices
from thresher.domain.way import Way
from thresher.engine.settler import Settler
from thresher.engine.turn import Places
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.file import File
from thresher.pipeline.gate import MayBegin
from thresher.settings import Settings
from thresher.storage.hosts import Note
from thresher.storage.pages import Page

AttemptPage = Callable[[Way, float, Sequence[Choices], MayBegin, Page | None], Awaitable[list[Attempt]]]
ReadFile = Callable[[File, Sequence[Choices]], Awaitable[list[Attempt]]]
ReusePage = Callable[[Page, float | None, Sequence[Choices]], Awaitable[list[Attempt] | None]]
NoteHosts = Callable[[int, Sequence[Note]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Engine:
    """What all shards of a worker share. `slots` bounds the requests under way in the process, `places` the files."""

    settings: Settings
    settler: Settler
    attempt: AttemptPage
    reuse: ReusePage
    read: ReadFile
    note: NoteHosts
    slots: asyncio.Semaphore
    places: Places
