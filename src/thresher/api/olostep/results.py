"""One item's result: found by its retrieve id, for its account or for the holder of a signed URL, and read in bounded memory."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from thresher.api.olostep.lookup import refuse_purged
from thresher.api.olostep.views import told
from thresher.api.state import State
from thresher.convert.frame import Frame
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import ItemState
from thresher.storage import batches, items
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch
from thresher.storage.blobs import BlobMissing
from thresher.storage.database import Connection
from thresher.storage.items import Item

LARGE = 2**20  # bytes, of a result as it is stored or of a part of it as it is read


@dataclass(frozen=True, slots=True)
class Result:
    """A finished item, with its batch and who asked for it: None for whoever has a URL that we signed."""

    retrieve_id: str
    caller: Account | None
    batch: Batch
    item: Item

    @property
    def has_frame(self) -> bool:
        """Whether there is anything to read: not of an item that failed."""
        return self.item.span is not None and self.item.pack_key is not None

    @property
    def size(self) -> int:
        """Bytes of the frame."""
        return self.item.span[1] if self.item.span else 0


async def find(state: State, caller: Account | None, retrieve_id: str) -> Result:
    """Raises Problem: content_not_found for an id that is unknown, foreign or unfinished; batch_purged."""
    async with state.snapshot() as connection:
        batch, item = await locate(connection, state.secret, caller, retrieve_id)
        if item.state is ItemState.SKIPPED and item.body is not None:
            item = await _with_result(connection, batch.account_id, item, item.body)
    if item.state is ItemState.PENDING:
        raise not_found("This item is not finished yet; its content can be retrieved when it is.")
    return Result(retrieve_id, caller, batch, item)


async def locate(connection: Connection, secret: bytes, caller: Account | None, retrieve_id: str) -> tuple[Batch, Item]:
    """The item of an id, finished or not, and its batch. Raises Problem: content_not_found, batch_purged."""
    place = ids.parse_retrieve_id(secret, retrieve_id)
    if place is None:
        raise not_found()
    if caller is None:
        batch = await batches.get_signed(connection, place[0])
    else:
        batch = await batches.get_by_key(connection, caller.id, place[0])
    if batch is None:
        raise not_found()
    refuse_purged(batch)
    item = await items.get(connection, batch, place[1])
    if item is None:
        raise not_found()
    return batch, replace(item, attempts=told(item.attempts, partial(ids.retrieve_id, secret)))


async def _with_result(connection: Connection, account: int, item: Item, place: tuple[int, int]) -> Item:
    """One that was skipped, with the result that there was already, if it is there still."""
    batch = await batches.get_by_key(connection, account, place[0])
    twin = await items.get(connection, batch, place[1]) if batch and batch.purged_at is None else None
    return item if twin is None else replace(item, span=twin.span, pack_key=twin.pack_key)


@asynccontextmanager
async def opened(state: State, result: Result) -> AsyncGenerator[Frame]:
    """The item's frame. What is made of it is made in here, in a thread: large ones go in turn, also those that only
    compression makes small.

    Raises Problem: content_not_found if there is no frame, or not any more, batch_purged; FrameError.
    """
    async with AsyncExitStack() as turn:
        if result.size > LARGE:
            await turn.enter_async_context(state.large_results)
        frame, large = await asyncio.to_thread(_parsed, await _stored(state, result))
        if large and result.size <= LARGE:
            await turn.enter_async_context(state.large_results)
        yield frame


async def _stored(state: State, result: Result) -> bytes:
    item = result.item
    if item.span is None or item.pack_key is None:
        raise not_found("This item has no content.")
    try:
        return await state.blobs.read(item.pack_key, *item.span)
    except BlobMissing:
        await find(state, result.caller, result.retrieve_id)  # if the batch was purged since, this says so
        raise not_found("The content of this item is no longer in the store.") from None


def _parsed(data: bytes) -> tuple[Frame, bool]:
    frame = Frame.parse(data)
    return frame, frame.is_larger(LARGE)


def not_found(detail: str = "Content not found for the provided retrieve_id") -> Problem:
    return Problem(ProblemCode.CONTENT_NOT_FOUND, detail)
