"""Where a batch is: asked once, or awaited. The answer has an ETag, and costs the same whatever the size of the batch."""

import time
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from thresher.api.auth import Reader
from thresher.api.etag import etag, matches
from thresher.api.olostep import queries, schemas, views
from thresher.api.olostep.lookup import find_batch
from thresher.api.openapi import PROBLEMS, WITH_ETAG, problems
from thresher.api.reply import json_bytes, to_json
from thresher.api.state import State, state_of
from thresher.api.watch import watch_of
from thresher.domain.states import BatchState
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)

_Seconds = WithJsonSchema({"type": "number", "minimum": 0})


@router.get(
    "/batches/{batch_id}",
    response_model=schemas.Batch,
    responses=WITH_ETAG | problems(400, 404, 410),
    summary="Where a batch is, or will be",
)
async def batch_info(
    request: Request,
    caller: Reader,
    batch_id: str,
    wait: Annotated[
        str | None,
        Query(description="Seconds to wait until it is done, or other than If-None-Match says; 60 at most."),
        _Seconds,
    ] = None,
    if_none_match: Annotated[
        str | None, Header(description="An ETag: the answer is a 304 while it is the same.")
    ] = None,
) -> Response:
    state, until = state_of(request), time.monotonic() + queries.read_wait(request.query_params)
    while True:
        batch = await _find(state, caller, batch_id)
        answer = to_json(views.batch_view(batch, state.settings.usd_per_credit))
        tag = etag(answer)
        known = matches(request.headers, tag)
        left = until - time.monotonic()
        if batch.state is BatchState.DONE or left <= 0 or (if_none_match and not known):
            break
        if not await watch_of(request).moved(batch, left, only_done=not if_none_match):
            until = 0.0
    return Response(status_code=304, headers={"ETag": tag}) if known else json_bytes(answer, {"ETag": tag})


async def _find(state: State, caller: Account, batch_id: str) -> Batch:
    async with state.connection() as connection:
        return await find_batch(connection, caller, batch_id)
