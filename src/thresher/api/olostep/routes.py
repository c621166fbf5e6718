"""The routes of the Olostep Batches API, and a cancel beside them. Each one: who asks, what is asked, one look at the database, the reply."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from thresher.api.auth import Reader, Writer
from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.olostep import bodies, queries, schemas, views
from thresher.api.olostep.file_choice import with_files
from thresher.api.olostep.followups import read_changes
from thresher.api.olostep.forecast import forecast
from thresher.api.olostep.forecast_schemas import BatchForecast
from thresher.api.olostep.lookup import find_batch, find_earlier, find_even_purged
from thresher.api.olostep.parser_choice import resolve
from thresher.api.olostep.requests import CreateBatch, read_create
from thresher.api.openapi import BODY_PROBLEMS, PROBLEMS, integer, json_body, problems
from thresher.api.reply import json_reply
from thresher.api.state import State, state_of
from thresher.domain import credit, metadata
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import BatchState, Outcome
from thresher.storage import batches, purge, submit
from thresher.storage.accounts import Account
from thresher.storage.database import Connection
from thresher.storage.submit import NewBatch

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)

_ITEM = {"url": "https://example.com/product/123", "custom_id": "product-123", "metadata": {"source": "catalog"}}


@router.post(
    "/batches",
    response_model=schemas.Batch | BatchForecast,
    responses=problems(*BODY_PROBLEMS, 402, 409, 422),
    openapi_extra=json_body(
        bodies.CreateBatch,
        items={"items": [_ITEM, {"url": "https://example.com/"}], "country": "US", "metadata": {"name": "Q1"}},
        open={"open": True},
    ),
    summary="Start a batch",
)
async def create_batch(
    request: Request,
    caller: Writer,
    dry_run: Annotated[
        str | None,
        Query(description="Nothing is made, and the answer is a forecast."),
        WithJsonSchema({"type": "boolean"}),
    ] = None,
    key: IdempotencyKey = None,
) -> Response:
    state = state_of(request)
    if queries.read_dry_run(request.query_params):
        return await forecast(state, caller, await request.body())

    async def read() -> CreateBatch:
        return await state.parse(read_create, await request.body())

    async def write(connection: Connection, wanted: CreateBatch) -> Response:
        await resolve(connection, caller.id, wanted.options, wanted.items)
        wanted = replace(wanted, items=await with_files(connection, caller.id, wanted.items))
        try:
            earlier = await find_earlier(connection, caller, wanted.compare_with)
            batch = await submit.create(connection, _new_batch(caller, wanted, earlier, state))
        except Problem as problem:
            problem.members["metadata"] = wanted.metadata
            raise
        return json_reply(views.batch_view(batch, state.settings.usd_per_credit))

    return await once(request, caller, key, read, write)


@router.get(
    "/batches/recent",
    response_model=schemas.Batches,
    responses=problems(400),
    summary="The latest batches, newest first",
)
async def recent_batches(
    request: Request,
    caller: Reader,
    limit: Annotated[str | None, Query(description="50 when absent, 100 at most."), integer(1)] = None,
    source: Annotated[
        str | None, Query(description="Only those that this source made."), WithJsonSchema(bodies.SOURCE)
    ] = None,
) -> Response:
    maker, most = queries.read_source(request.query_params), queries.read_recent_limit(request.query_params)
    state = state_of(request)
    async with state.connection() as connection:
        found = await batches.recent(connection, caller.id, maker, most)
    return json_reply(
        {"object": "list", "data": [views.batch_view(batch, state.settings.usd_per_credit) for batch in found]}
    )


@router.patch(
    "/batches/{batch_id}",
    response_model=schemas.Batch,
    responses=problems(*BODY_PROBLEMS, 404, 410),
    openapi_extra=json_body(bodies.ChangeBatch, one={"metadata": {"priority": "low", "source": None}}),
    summary="Change a batch's metadata",
)
async def change_batch(request: Request, caller: Writer, batch_id: str) -> Response:
    """Keys are added and overwritten, and deleted by null or ""; the others stay. Also of a batch that is done."""
    state = state_of(request)
    changes = await state.parse(read_changes, await request.body())
    async with state.connection() as connection:
        batch = await find_batch(connection, caller, batch_id)
        await batches.change_metadata(connection, batch.id, lambda old: metadata.merged(old, changes, "metadata"))
        batch = await find_batch(connection, caller, batch_id)
    return json_reply(views.batch_view(batch, state.settings.usd_per_credit))


@router.post(
    "/batches/{batch_id}/cancel",
    response_model=schemas.Batch,
    responses=problems(404, 410),
    summary="End a batch before it is done",
)
async def cancel_batch(request: Request, caller: Writer, batch_id: str) -> Response:
    """Nothing pending is begun after the answer; what is settled stays. A batch that is over is answered as it is."""
    state = state_of(request)
    async with state.connection() as connection:
        batch = await find_batch(connection, caller, batch_id)
        await batches.stop(connection, batch.id, Outcome.CANCELLED)
        batch = await find_batch(connection, caller, batch_id)
    return json_reply(views.batch_view(batch, state.settings.usd_per_credit))


@router.delete(
    "/batches/{batch_id}",
    response_model=schemas.Deleted,
    responses=problems(404, 409),
    summary="Delete a batch that is done",
)
async def delete_batch(request: Request, caller: Writer, batch_id: str) -> Response:
    """Items and results are unreadable from the answer on, and erased soon after; the counts stay. It can be repeated."""
    async with state_of(request).connection() as connection:
        batch = await find_even_purged(connection, caller, batch_id)
        if batch.state is not BatchState.DONE:
            raise Problem(
                ProblemCode.BATCH_NOT_DONE, f"This batch is {batch.state}, so it cannot be deleted; cancel it first."
            )
        await purge.mark(connection, batch.id)
    return json_reply(views.deleted_view(batch))


def _new_batch(caller: Account, wanted: CreateBatch, earlier: int | None, state: State) -> NewBatch:
    return NewBatch(
        account=caller.id,
        face="olostep",
        items=wanted.items,
        lifetime=wanted.lifetime,
        shard_size=state.settings.shard_size,
        options=wanted.options,
        metadata=wanted.metadata,
        webhook=wanted.webhook,
        open=wanted.open,
        source=wanted.source,
        price=credit.price(wanted.options),
        compare_with=earlier,
        headers=wanted.headers,
    )
