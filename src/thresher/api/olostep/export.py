"""GET /v1/batches/{id}/export: all results of a batch in one answer, line by line, from any line on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.auth import Reader
from thresher.api.codings import Encoder, choose
from thresher.api.olostep import queries, schemas
from thresher.api.olostep.lines import Lines
from thresher.api.olostep.lookup import find_batch, find_family
from thresher.api.olostep.parts import Parts
from thresher.api.olostep.runs import Run, current, runs
from thresher.api.openapi import NDJSON, PROBLEMS, answer_of, integer, one_of, problems, some_of
from thresher.api.state import State, state_of
from thresher.api.streaming import Stream, begun, resting
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import BatchState
from thresher.storage import items
from thresher.storage import lineage as merge
from thresher.storage.batches import Batch
from thresher.storage.items import Item
from thresher.storage.spool import pieces

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)

PAGE = 250  # rows read at a time
CHUNK = 256 * 1024  # bytes of lines that are made in one go, and sent on at once


_Names = Annotated[list[str] | None, Query()]


@router.get(
    "/batches/{batch_id}/export",
    response_class=Response,
    responses={200: answer_of(schemas.ExportLine, NDJSON, "One object a line."), **problems(400, 404, 409, 410)},
    summary="All results of a batch, line by line",
)
async def export_batch(
    request: Request,
    caller: Reader,
    batch_id: str,
    form: Annotated[str | None, Query(alias="format"), one_of(queries.EXPORT_FORMS)] = None,
    status: Annotated[_Names, Query(description="Absent: all finished items."), some_of(queries.FINISHED)] = None,
    formats: Annotated[_Names, Query(description="Absent: markdown and links."), some_of(queries.EXPORTED)] = None,
    order: Annotated[str | None, Query(description="Absent: finished."), one_of(queries.ORDERS)] = None,
    cursor: Annotated[str | None, Query(description="Of the last line that is there already."), integer(0)] = None,
    limit: Annotated[str | None, Query(description="Lines at most; absent: all."), integer(1)] = None,
    lineage: Annotated[
        str | None,
        Query(description="merged: together with its retries, in submit order. Absent: own."),
        one_of(queries.LINEAGES),
    ] = None,
) -> Response:
    """Items in the order in which they finished, or, of a batch that is done, in which they were submitted."""
    state = state_of(request)
    query = queries.read_export_query(request.query_params)
    async with state.connection() as connection:
        batch = await find_batch(connection, caller, batch_id)
        if query.merged:
            await find_family(connection, batch)
    if query.submitted and batch.state is not BatchState.DONE:
        raise Problem(ProblemCode.BATCH_NOT_DONE, "Items can be exported in submit order when the batch is done.")
    coding = choose(request.headers.getlist("accept-encoding"))
    headers = {"Vary": "Accept-Encoding", **({"Content-Encoding": coding} if coding else {})}
    return Stream(await begun(_chunks(state, batch, query, Encoder(coding))), NDJSON, headers)


async def _chunks(state: State, batch: Batch, query: queries.ExportQuery, encoder: Encoder) -> AsyncGenerator[bytes]:
    parts = Parts(query.formats, state.settings.max_decoded_bytes)
    names: dict[int, str] = {}
    lines = Lines(parts, partial(ids.retrieve_id, state.secret), names if query.merged else None)
    pages = _merged_pages(state, batch, query, names) if query.merged else _pages(state, batch, query)
    async with aclosing(runs(state, batch, pages)) as found:
        async for run in found:
            cursors = [_cursor(query, item) for item in run.items]
            place = 0
            while place < len(run.items):
                chunk, place = await asyncio.to_thread(_write, lines, run, cursors, place, encoder, state.blobs.folder)
                if isinstance(chunk, bytes):
                    yield chunk
                    continue
                async with aclosing(pieces(chunk)) as each:
                    async for piece in each:
                        yield piece
    yield encoder.end()


async def _pages(state: State, batch: Batch, query: queries.ExportQuery) -> AsyncGenerator[list[Item]]:
    """Pages of what is finished; each sees the batch as it is by then, and no connection outlives one."""
    cursor, left, after = query.cursor, query.limit, None
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        async with state.snapshot() as connection:
            now = await current(connection, batch)
            if query.submitted:
                found = await items.run_submitted(connection, now, query.states, cursor, size)
            else:
                found = await items.run_finished(connection, now, query.states, cursor, size, after)
        if found:
            yield found
        if len(found) < size:
            return
        after = found[-1]
        cursor, left = _cursor(query, after), None if left is None else left - size


async def _merged_pages(
    state: State, batch: Batch, query: queries.ExportQuery, names: dict[int, str]
) -> AsyncGenerator[list[Item]]:
    """Pages of the batch together with its retries; `names` has the public ids of all that were seen."""
    position, left = query.cursor, query.limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        async with state.snapshot() as connection:
            family = await find_family(connection, await current(connection, batch))
            found, position = await merge.run(connection, family, query.states, position, size)
        names.update((one.id, one.public_id) for one in family.members.values())
        if found:
            yield found
        if position >= family.first.total:
            return
        left = None if left is None else left - len(found)


def _cursor(query: queries.ExportQuery, item: Item) -> int:
    """Where the line after this item's begins: a position, or a finish number."""
    if query.merged:
        return item.position + 1
    return (item.ord if query.submitted or item.seq is None else item.seq) + 1


def _write(
    lines: Lines, run: Run, cursors: list[int], place: int, encoder: Encoder, folder: Path | None
) -> tuple[bytes | BinaryIO, int]:
    """Lines from a place in the run on, until they are a chunk; and the place behind them. A line may be much more than a
    chunk by itself: then it is in a file.
    """
    made: list[bytes] = []
    size = 0
    while place < len(run.items) and size < CHUNK:
        made.append(lines.line(run.items[place], cursors[place], run.frames[place]))
        size += len(made[-1])
        place += 1
    return resting(encoder.piece(b"".join(made)), folder), place
