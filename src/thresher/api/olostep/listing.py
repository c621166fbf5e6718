"""GET /v1/batches/{id}/items: a page of a batch's items, with their links and contents if these are wanted."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.auth import Reader
from thresher.api.olostep import queries, schemas, views
from thresher.api.olostep.lookup import find_batch, find_family
from thresher.api.olostep.parts import Parts
from thresher.api.olostep.runs import Run, runs
from thresher.api.openapi import PROBLEMS, integer, one_of, problems, some_of
from thresher.api.reply import to_json
from thresher.api.state import State, state_of
from thresher.api.streaming import at_rest
from thresher.convert.frame import FrameError
from thresher.domain import ids
from thresher.domain.failure import FailureCode, failure_view
from thresher.domain.links import LinkOptions
from thresher.domain.states import BatchState, ItemState
from thresher.storage import items
from thresher.storage import lineage as merge
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.items import Item, Page
from thresher.storage.lineage import Family

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)

_UNSETTLED = ("pending", "processing")

# What the parts are called in an item.
_KEYS = {
    "links": "links_on_page",
    "size_exceeded": "size_exceeded",
    **{name: f"{name}_content" for name in queries.FORMATS},
}


@router.get(
    "/batches/{batch_id}/items",
    response_model=schemas.Items,
    responses=problems(400, 404, 409, 410),
    summary="A page of a batch's items",
)
async def batch_items(
    request: Request,
    caller: Reader,
    batch_id: str,
    status: Annotated[str | None, Query(description="Absent: all finished items."), one_of(queries.STATUSES)] = None,
    cursor: Annotated[str | None, Query(description="From the previous page; absent: the start."), integer(0)] = None,
    limit: Annotated[str | None, Query(description="Items in the page."), integer(1)] = None,
    formats: Annotated[
        list[str] | None, Query(description="Contents of each completed item; absent: none."), some_of(queries.FORMATS)
    ] = None,
    lineage: Annotated[
        str | None, Query(description="merged: together with its retries. Absent: own."), one_of(queries.LINEAGES)
    ] = None,
) -> Response:
    state = state_of(request)
    query = queries.read_items_query(request.query_params, state.settings)
    async with state.snapshot() as connection:
        batch = await find_batch(connection, caller, batch_id)
        parts = _Wanted(state, query)
        family = await find_family(connection, batch) if query.merged else None
        page = await _page(connection, batch, family, query, keys=bool(query.formats or LinkOptions.of(batch.options)))
    view = _View(state, query.status if query.status in _UNSETTLED else None, family)
    shown: Sequence[Any] = (
        await _with_parts(state, batch, page.items, parts, view)
        if any(map(parts.of, page.items))
        else [view.of(item) for item in page.items]
    )
    following = page.cursor
    if len(shown) < len(page.items):
        cut = page.items[len(shown)]
        following = cut.position + 1 if family else cut.seq
    status = views.status_of(done=family.done if family else batch.state is BatchState.DONE)
    made = to_json(views.items_view(batch, status, shown, page.count, following, state.settings.items_object))
    return await at_rest(made, {"Content-Type": "application/json"}, state.blobs.folder)


class _View:
    """How an item of this page looks, without its parts."""

    def __init__(self, state: State, unsettled: str | None, family: Family | None) -> None:
        self._retrieve_id = partial(ids.retrieve_id, state.secret)
        self._unsettled, self._family = unsettled, family

    def of(self, item: Item) -> dict[str, Any]:
        """The item, and of merged batches which one it is of."""
        view = views.item_view(item, self._unsettled, self._retrieve_id)
        return view | {"batch_id": self._family.members[item.batch].public_id} if self._family else view


class _Wanted:
    """What of their results the items of a page carry: what the query asks for, and their links where these were chosen."""

    def __init__(self, state: State, query: queries.ItemsQuery) -> None:
        self._formats, self._limits = query.formats, state.settings
        self._plain, self._linked = self._parts(query.formats), self._parts(query.formats | {"links"})

    def of(self, item: Item) -> Parts | None:
        """None for nothing."""
        if item.state is not ItemState.COMPLETED:
            return None
        if LinkOptions.of(item.options):
            return self._linked
        return self._plain if self._formats else None

    def _parts(self, formats: frozenset[str]) -> Parts:
        return Parts(formats, self._limits.max_decoded_bytes, self._limits.max_inline_bytes)


async def _page(
    connection: Connection, batch: Batch, family: Family | None, query: queries.ItemsQuery, *, keys: bool
) -> Page:
    if family and query.status in _UNSETTLED:
        return Page([], 0, None)  # every item of the first batch has an end
    if query.status in _UNSETTLED:
        processing = query.status == "processing"
        return await items.page_unsettled(
            connection, batch, processing=processing, cursor=query.cursor, limit=query.limit
        )
    wanted = queries.STATUSES[query.status] if query.status else None
    if family:
        return await merge.page(connection, family, wanted, query.cursor, query.limit)
    return await items.page_finished(connection, batch, wanted, query.cursor, query.limit, keys=keys)


async def _with_parts(
    state: State, batch: Batch, found: list[Item], parts: _Wanted, view: _View
) -> list[orjson.Fragment]:
    """The first items of a page with their parts: as many as an answer holds, and at least one."""
    writer = _Writer(state, parts, view)
    async with aclosing(runs(state, batch, _only(found))) as each:
        async for run in each:
            if not await asyncio.to_thread(writer.write, run):
                break
    return writer.written


async def _only(page: list[Item]) -> AsyncGenerator[list[Item]]:
    if page:
        yield page


class _Writer:
    """Items as JSON, up to `max_inline_bytes` of it. CPU work, for a thread."""

    def __init__(self, state: State, parts: _Wanted, view: _View) -> None:
        self.written: list[orjson.Fragment] = []
        self._parts = parts
        self._view = view
        self._limit = self._left = state.settings.max_inline_bytes

    def write(self, run: Run) -> bool:
        """Write the items of a run; False if they do not all fit, and the page is full."""
        for item, data in zip(run.items, run.frames, strict=True):
            text = self._item(item, data)
            self._left -= len(text)
            if self._left < 0 and self.written:
                return False
            self.written.append(orjson.Fragment(text))
        return True

    def _item(self, item: Item, data: memoryview | None) -> bytes:
        view, parts = self._view.of(item), self._parts.of(item)
        if parts is None:
            return orjson.dumps(view)
        nothing: dict[str, Any] = {_KEYS[name]: None for name in parts.formats if name != "links"}
        try:
            found = parts.read(data, LinkOptions.of(item.options))[1]
        except FrameError:
            return orjson.dumps(view | nothing | {"error": failure_view(FailureCode.CONTENT_UNAVAILABLE)})
        text = orjson.dumps(view | {_KEYS[name]: value for name, value in found.items()})
        exceeded = len(text) > self._limit or "size_exceeded" in found
        return orjson.dumps(view | nothing | {"size_exceeded": True}) if exceeded else text
