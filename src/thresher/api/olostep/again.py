"""POST /v1/batches/{id}/retry: what a batch has left without a result, in a new batch."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.auth import Writer
from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.olostep import bodies, queries, schemas, views
from thresher.api.olostep.followups import RetryBatch, read_retry
from thresher.api.olostep.lookup import find_batch, find_done
from thresher.api.openapi import BODY_PROBLEMS, PROBLEMS, json_body, problems, some_of
from thresher.api.reply import json_reply
from thresher.api.state import state_of
from thresher.domain import metadata
from thresher.domain.failure import FailureCode
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage import retries
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.retries import Again

_PURPOSE = "what failed can be retried"

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)


@router.post(
    "/batches/{batch_id}/retry",
    response_model=schemas.Batch,
    responses=problems(*BODY_PROBLEMS, 402, 404, 409, 410, 422),
    openapi_extra=json_body(bodies.Retry, needed=False, codes={"codes": ["timeout", "http_5xx"]}, all={}),
    summary="Retry what a batch has left without a result",
)
async def retry_batch(
    request: Request,
    caller: Writer,
    batch_id: str,
    codes: Annotated[
        list[str] | None, Query(description="As in the body; together with those."), some_of(FailureCode)
    ] = None,
    key: IdempotencyKey = None,
) -> Response:
    """A new batch of the failed, cancelled and skipped items of one that is done, all or by code; everything else is as in that."""
    state = state_of(request)

    async def read() -> RetryBatch:
        async with state.connection() as connection:
            await find_done(connection, caller, batch_id, _PURPOSE)  # else nothing of the body need be read
        named = queries.read_codes(request.query_params)
        wanted = await state.parse(read_retry, await request.body())
        return replace(wanted, codes=wanted.codes | named)

    async def write(connection: Connection, wanted: RetryBatch) -> Response:
        batch, limits = await find_done(connection, caller, batch_id, _PURPOSE), state.settings
        pairs = metadata.merged(batch.metadata, wanted.metadata, "metadata")
        again = Again(wanted.codes or None, pairs, limits.batch_timeout, limits.shard_size)
        try:
            made = await retries.retry(connection, batch, again)
        except retries.NothingToRetry as nothing:
            await find_batch(connection, caller, batch_id)  # if it was purged since, this says so
            raise Problem(ProblemCode.NOTHING_TO_RETRY, _nothing(batch, wanted.codes, nothing.latest)) from None
        return json_reply(views.batch_view(made, limits.usd_per_credit))

    return await once(request, caller, key, read, write)


def _nothing(batch: Batch, codes: frozenset[FailureCode], latest: str | None) -> str:
    text = f"all {batch.total} items of the batch have a result"
    if codes and batch.completed < batch.total:
        text = f"no item of the batch has failed with {', '.join(code for code in FailureCode if code in codes)}"
    if latest is not None and batch.completed < batch.total:
        text += f", but for what retries have completed or are at; the latest is {latest}"
    return f"There is nothing to retry: {text}."
