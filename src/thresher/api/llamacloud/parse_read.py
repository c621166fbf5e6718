"""GET /api/v2/parse/{parse_job_id}: a parse job, and of what was made of its document as much as is asked for."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.llamacloud import parse_job, parse_result, parse_schemas
from thresher.api.llamacloud.errors import refusals
from thresher.api.llamacloud.parse_job import Found, Job
from thresher.api.llamacloud.parse_result import Expand, UrlOf
from thresher.api.llamacloud.project import Reader
from thresher.api.llamacloud.values import COMMAS
from thresher.api.olostep import results
from thresher.api.problems import base_url
from thresher.api.reply import json_reply, to_json
from thresher.api.state import State, state_of
from thresher.api.streaming import at_rest
from thresher.domain import hosted
from thresher.storage.accounts import Account

router = APIRouter(prefix="/api/v2/parse", tags=["parse"], responses=refusals(404, 410))

_JSON = {"Content-Type": "application/json"}


@router.get("/{parse_job_id}", response_model=parse_schemas.ParseResult, summary="A parse job, and what was made")
async def get_parse_job(
    request: Request,
    caller: Reader,
    job: Found,
    expand: Annotated[
        list[Expand] | None,
        Query(description="What of the result is wanted; repeated, or with commas between. Absent: only the job."),
        COMMAS,
    ] = None,
    image_filenames: Annotated[str | None, Query(description="Taken, and of no use: there are no pictures.")] = None,
) -> Response:
    state = state_of(request)
    if not expand:
        return json_reply({"job": parse_job.view(job, caller)})
    result = parse_job.result_of(job)
    async with results.opened(state, result) as frame:
        url_of = _urls(request, state, result.retrieve_id)
        made = await asyncio.to_thread(
            lambda: to_json(_reply(job, caller, parse_result.expanded(frame, expand, url_of, cached=job.cached)))
        )
        return await at_rest(made, _JSON, state.blobs.folder)


def _reply(job: Job, caller: Account, made: dict[str, Any]) -> dict[str, Any]:
    about = parse_job.view(job, caller)
    if usage := made.pop("usage", None):
        about["usage"] = usage
    return {"job": about, **made}


def _urls(request: Request, state: State, retrieve_id: str) -> UrlOf:
    base, seconds = base_url(request.scope, state.settings.public_url), state.settings.hosted_url_seconds
    return lambda name: base + hosted.path(state.hosted_secret, retrieve_id, name, time.time(), seconds)
