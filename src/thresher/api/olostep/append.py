"""The routes of a batch larger than one request: appended to in any number of them, then started.

While a client sends, nothing is held for it but a slice of its lines: each slice is committed on its own.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import WithJsonSchema
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from thresher.api.auth import Writer
from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.olostep import ndjson, queries, schemas, views
from thresher.api.olostep.file_choice import with_files
from thresher.api.olostep.lookup import find_batch
from thresher.api.olostep.parser_choice import resolve
from thresher.api.olostep.requests import read_append
from thresher.api.openapi import BODY_PROBLEMS, PROBLEMS, append_body, integer, problems
from thresher.api.reply import json_reply
from thresher.api.state import State, state_of
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import BatchState
from thresher.storage import submit
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.submit import NewItem

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)

_PATH = re.compile(r"/v1/batches/[^/]+/items")


def is_stream(scope: Scope) -> bool:
    """Whether a request is an append of lines, whose body may be of any length: what it may hold is counted here."""
    return scope["method"] == "POST" and bool(_PATH.fullmatch(scope["path"])) and ndjson.is_ndjson(Headers(scope=scope))


@router.post(
    "/batches/{batch_id}/items",
    response_model=schemas.Batch,
    responses=problems(*BODY_PROBLEMS, 402, 404, 409, 410, 422),
    openapi_extra=append_body(),
    summary="Append items to an open batch",
)
async def append_items(
    request: Request,
    caller: Writer,
    batch_id: str,
    offset: Annotated[
        str | None,
        Query(description="How many items the batch must have before."),
        integer(0),
    ] = None,
    key: IdempotencyKey = None,
) -> Response:
    state, position = state_of(request), queries.read_offset(request.query_params)
    if ndjson.is_ndjson(request.headers):
        if key is not None:
            raise _refused(
                "Idempotency-Key: lines are not taken under one; `offset` makes an append of them repeatable"
            )
        return await _append_lines(request, state, caller, batch_id, position)

    async def read() -> list[NewItem]:
        batch = await _find(state, caller, batch_id)
        async with _with_total(lambda: _find(state, caller, batch_id)):
            _check_open(batch)  # else nothing of the body need be read
            return await state.parse(read_append, await request.body())

    async def write(connection: Connection, items: list[NewItem]) -> Response:
        batch = await find_batch(connection, caller, batch_id)
        async with _with_total(lambda: find_batch(connection, caller, batch_id)):
            await resolve(connection, caller.id, {}, items)
            items = await with_files(connection, caller.id, items)
            await _append(connection, batch, items, position, state.settings.max_batch_items)
        batch = await find_batch(connection, caller, batch_id)
        return json_reply(views.batch_view(batch, state.settings.usd_per_credit))

    return await once(request, caller, key, read, write)


@router.post(
    "/batches/{batch_id}/start",
    response_model=schemas.Batch,
    responses=problems(400, 404, 410),
    summary="Start an open batch",
)
async def start_batch(
    request: Request,
    caller: Writer,
    batch_id: str,
    timeout: Annotated[
        str | None,
        Query(description="Seconds from now to the batch's deadline; as at its creation if absent."),
        WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
    ] = None,
) -> Response:
    """Its items are worked at from now on, and its deadline counts from now. A batch that is not open is answered as it is."""
    state = state_of(request)
    lifetime = queries.read_timeout(request.query_params, state.settings)
    batch = await _find(state, caller, batch_id)
    try:
        async with state.connection() as connection:
            await submit.start(connection, batch.id, state.settings.shard_size, lifetime)
    except submit.NothingToStart:
        raise _refused("items: the batch has none; append some before it is started") from None
    except submit.SharedId as shared:
        raise _refused(
            f"items[{shared.one}] and items[{shared.other}] of the batch have the same custom_id"
            f" {shared.custom_id[:80]!r} for different URLs or files; cancel the batch, and submit it again with a"
            " custom_id for each of them, or with none"
        ) from None
    return json_reply(views.batch_view(await _find(state, caller, batch_id), state.settings.usd_per_credit))


async def _append_lines(
    request: Request, state: State, caller: Account, batch_id: str, position: int | None
) -> Response:
    """Slice after slice, each committed on its own."""
    batch = await _find(state, caller, batch_id)
    async with _with_total(lambda: _find(state, caller, batch_id)):
        _check_open(batch)
        async for piece in ndjson.slices(request.stream()):
            items = await asyncio.to_thread(ndjson.read_slice, piece, state.settings)
            async with state.submitting(caller) as connection:
                await resolve(connection, caller.id, {}, items, ndjson.places(piece))
                items = await with_files(connection, caller.id, items, ndjson.places(piece))
                total = await _append(connection, batch, items, position, state.settings.max_batch_items)
            position = None if position is None else total
    return json_reply(views.batch_view(await _find(state, caller, batch_id), state.settings.usd_per_credit))


@asynccontextmanager
async def _with_total(look: Callable[[], Awaitable[Batch]]) -> AsyncIterator[None]:
    """Every refusal says how many items the batch has, so that the caller knows where to go on."""
    try:
        yield
    except Problem as problem:
        problem.members["total"] = (await look()).total
        raise


async def _append(connection: Connection, batch: Batch, items: list[NewItem], offset: int | None, limit: int) -> int:
    try:
        return await submit.append(connection, batch.id, items, limit=limit, offset=offset)
    except submit.NotOpen:
        raise _not_open() from None
    except submit.OffsetConflict as conflict:
        detail = f"The batch has {conflict.total} items, not {offset}."
        raise Problem(ProblemCode.APPEND_CONFLICT, detail) from None
    except submit.TooManyItems as full:
        raise _refused(
            f"items: the batch has {full.total} already, and {len(items)} more are beyond the limit of {limit}"
            " (THRESHER_MAX_BATCH_ITEMS)"
        ) from None


async def _find(state: State, caller: Account, batch_id: str) -> Batch:
    async with state.connection() as connection:
        return await find_batch(connection, caller, batch_id)


def _check_open(batch: Batch) -> None:
    if batch.state is not BatchState.OPEN:
        raise _not_open()


def _not_open() -> Problem:
    return Problem(ProblemCode.BATCH_NOT_OPEN, "Items can be appended only to a batch that is open.")


def _refused(detail: str) -> Problem:
    errors = [{"loc": ["body", "items"], "msg": detail, "type": "value_error"}]
    return Problem(ProblemCode.VALIDATION_ERROR, detail, errors=errors)
