"""GET /v1/batches/{id}/diff: what has changed since an earlier batch, item by item, and on request line by line."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, nullcontext
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.auth import Reader
from thresher.api.olostep import queries, schemas, textdiff, views
from thresher.api.olostep.lookup import find_batch, find_family, refuse_unwritten
from thresher.api.olostep.runs import runs
from thresher.api.openapi import PROBLEMS, integer, one_of, problems, required, some_of
from thresher.api.reply import to_json
from thresher.api.state import State, state_of
from thresher.api.streaming import at_rest
from thresher.convert import jsontext
from thresher.convert.frame import Frame, FrameError
from thresher.domain import ids
from thresher.domain.change import Change
from thresher.storage import changes
from thresher.storage.batches import Batch
from thresher.storage.changes import Entry, Side
from thresher.storage.database import Connection
from thresher.storage.items import Item

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)

LARGEST = 16 * 2**20  # bytes of a result that is read to be compared
SECONDS = 2.0  # that a page spends on texts; the one that is begun by then is its last

_COMPARED = (Change.SAME, Change.CHANGED)
_MEMBERS = ("markdown", "text", "links")


@router.get(
    "/batches/{batch_id}/diff",
    response_model=schemas.Diff,
    responses=problems(400, 404, 409, 410),
    summary="What has changed since an earlier batch",
)
async def diff(
    request: Request,
    caller: Reader,
    batch_id: str,
    earlier: Annotated[str | None, Query(alias="with", description="The id of the earlier batch."), required()] = None,
    status: Annotated[
        list[str] | None, Query(description="Only what became one of these; absent: all."), some_of(Change)
    ] = None,
    text: Annotated[
        str | None, Query(description="true: with a unified diff of each item that has changed."), one_of(queries.WORDS)
    ] = None,
    cursor: Annotated[str | None, Query(description="From the previous page; absent: the start."), integer(0)] = None,
    limit: Annotated[str | None, Query(description="Entries in the page."), integer(1)] = None,
    lineage: Annotated[
        str | None, Query(description="merged: each batch together with its retries."), one_of(queries.LINEAGES)
    ] = None,
) -> Response:
    """Joined on custom_id, each once: those of this batch in submit order, then those that are only in the earlier one."""
    state = state_of(request)
    query = queries.read_diff_query(request.query_params, state.settings)
    async with state.counting if query.place == 0 else nullcontext(), state.snapshot() as connection:
        now = await _side(connection, await find_batch(connection, caller, batch_id), query)
        before = await _side(connection, await find_batch(connection, caller, query.earlier), query)
        counts = await _counts(connection, now, before) if query.place == 0 else None
        page = await changes.page(connection, now, before, query.changes, query.place, query.limit)
    entries, following = page.entries, page.following
    texts: Mapping[int, dict[str, Any]] = {}
    if query.text:
        texts, cut = await _texts(state, now.first, [one for one in entries if one.change is Change.CHANGED])
        if cut is not None:
            entries, following = [one for one in entries if one.place < cut], cut
    view: dict[str, Any] = {"object": "list", "batch_id": batch_id, "with": query.earlier}
    view |= {"counts": counts} if counts is not None else {}
    shown = _View(state, now.members | before.members if query.merged else {})
    view["data"] = [shown.of(entry) | texts.get(entry.place, {}) for entry in entries]
    view |= {"cursor": following + 1} if following is not None else {}
    return await at_rest(to_json(view), {"Content-Type": "application/json"}, state.blobs.folder)


async def _side(connection: Connection, batch: Batch, query: queries.DiffQuery) -> Side:
    """Raises Problem: batch_not_done; batch_purged for the first batch of a line of retries."""
    side = Side(batch, {batch.id: batch})
    if query.merged:
        family = await find_family(connection, batch)
        side = Side(family.first, family.members)
    refuse_unwritten(f"The batch {batch.public_id}", side.members.values())
    return side


async def _counts(connection: Connection, now: Side, before: Side) -> dict[str, int]:
    """How many became what; of two batches of which it was counted at the end of the one, what it was then."""
    [*later], [*earlier] = now.members, before.members
    known = now.first.changes if now.first.compare_with == before.first.public_id else None
    if known is not None and len(later) == len(earlier) == 1:
        return known
    return await changes.count(connection, later, earlier)


class _View:
    """How an entry looks; of merged batches with the one that each item is of."""

    def __init__(self, state: State, members: Mapping[int, Batch]) -> None:
        self._retrieve_id = partial(ids.retrieve_id, state.secret)
        self._members = members

    def of(self, entry: Entry) -> dict[str, Any]:
        named = entry.now or entry.before
        return {
            "custom_id": named.custom_id if named else "",
            "status": entry.change,
            **({"compared": entry.compared} if entry.change in _COMPARED else {}),
            "now": self._item(entry.now),
            "before": self._item(entry.before),
        }

    def _item(self, item: Item | None) -> dict[str, Any] | None:
        if item is None:
            return None
        view = views.item_view(item, None, self._retrieve_id)
        return view | {"batch_id": self._members[item.batch].public_id} if self._members else view


async def _texts(state: State, batch: Batch, changed: Sequence[Entry]) -> tuple[dict[int, dict[str, Any]], int | None]:
    """What is different in words, by place; and the place of the first entry for which the page has no room or no time."""
    until, room = time.monotonic() + SECONDS, state.settings.max_inline_bytes
    found: dict[int, dict[str, Any]] = {}
    frames: list[memoryview | None] = []
    left = iter(changed)
    async with aclosing(runs(state, batch, _items(changed))) as each:
        async for run in each:
            frames += run.frames
            while len(frames) >= 2:
                entry = next(left)
                if found and (room < 0 or time.monotonic() > until):
                    return found, entry.place
                async with state.large_results:
                    said = await asyncio.to_thread(_difference, entry.compared, *frames[:2])
                found[entry.place] = said
                room -= len(said["diff"] or "")
                del frames[:2]
    return found, None


async def _items(changed: Sequence[Entry]) -> AsyncGenerator[list[Item]]:
    """The two items of each, one after the other."""
    pairs = [item for entry in changed for item in (entry.before, entry.now) if item is not None]
    if pairs:
        yield pairs


def _difference(compared: str, before: memoryview | None, now: memoryview | None) -> dict[str, Any]:
    """CPU work, for a thread."""
    try:
        return {"diff": textdiff.unified(_text(compared, before), _text(compared, now))}
    except textdiff.TooLarge:
        return {"diff": None, "diff_error": "too_large"}
    except FrameError:  # the purge was faster, or the store has lost it
        return {"diff": None, "diff_error": "missing"}


def _text(compared: str, data: memoryview | None) -> str:
    if data is None:
        raise FrameError("there is no frame")
    frame = Frame.parse(data)
    if frame.json_size(_MEMBERS) > LARGEST:
        raise textdiff.TooLarge
    if compared == "markdown":
        return frame.markdown
    made = frame.json(LARGEST) or ""
    return jsontext.indented(made) or made
