"""GET /v1/retrieve: what was made of one item, whole, in windows, or by URLs of its contents."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.auth import Reader
from thresher.api.olostep import content, queries, results, schemas
from thresher.api.olostep.content import UrlOf, Wanted
from thresher.api.openapi import PROBLEMS, integer, problems, required, some_of
from thresher.api.problems import base_url
from thresher.api.reply import json_bytes
from thresher.api.state import State, state_of
from thresher.api.streaming import at_rest
from thresher.domain import hosted
from thresher.domain.links import LinkOptions

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)


@router.get(
    "/retrieve", response_model=schemas.Content, responses=problems(400, 404, 410), summary="What was made of one item"
)
async def retrieve(
    request: Request,
    caller: Reader,
    retrieve_id: Annotated[str | None, Query(description="Of an item of a batch."), required()] = None,
    formats: Annotated[list[str] | None, Query(description="Absent: all but pages."), some_of(queries.FORMATS)] = None,
    max_chars: Annotated[
        str | None, Query(description="Characters of each content at most."), integer(1, queries.MOST)
    ] = None,
    offset: Annotated[
        str | None, Query(description="The first character of each content, from 0."), integer(0, queries.MOST)
    ] = None,
) -> Response:
    state = state_of(request)
    query = request.query_params
    public_id = queries.read_retrieve_id(query)
    asked = queries.read_formats(query), queries.read_window(query)
    result = await results.find(state, caller, public_id)
    if not result.has_frame:
        return json_bytes(content.render_failed(result.item, public_id))
    limits, links = state.settings, LinkOptions.of(result.item.options)
    wanted = Wanted(*asked, limits.max_decoded_bytes, limits.max_inline_bytes, links)
    url_of = _urls(request, state, public_id)
    async with results.opened(state, result) as frame:
        made = await asyncio.to_thread(content.render, result.item, public_id, frame, wanted, url_of)
        return await at_rest(made, {"Content-Type": "application/json"}, state.blobs.folder)


def _urls(request: Request, state: State, retrieve_id: str) -> UrlOf:
    base, seconds = base_url(request.scope, state.settings.public_url), state.settings.hosted_url_seconds
    return lambda name: base + hosted.path(state.hosted_secret, retrieve_id, name, time.time(), seconds)
