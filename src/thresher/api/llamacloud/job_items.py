"""/api/v1/beta/batch-processing: the items of a batch job, and the results of an item in all of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.llamacloud import job_schemas as schemas
from thresher.api.llamacloud import jobs
from thresher.api.llamacloud.errors import refusals
from thresher.api.llamacloud.job_views import item_view, result_view
from thresher.api.llamacloud.jobs import FAR, Limit, Offset
from thresher.api.llamacloud.project import Reader
from thresher.api.problems import base_url
from thresher.api.reply import json_reply
from thresher.api.state import state_of
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import ItemStatus
from thresher.storage import job_items
from thresher.storage.jobs import ItemId

RESULTS = 100  # of an item that are told, each with all its parameters

router = APIRouter(prefix="/api/v1/beta/batch-processing", tags=["batch jobs"])


@router.get(
    "/{job_id}/items",
    response_model=schemas.BatchJobItems,
    responses=refusals(404, 410),
    summary="List the items of a batch job",
)
async def list_batch_job_items(
    request: Request,
    caller: Reader,
    job_id: str,
    status: Annotated[ItemStatus | None, Query(description="Absent: all items.")] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Response:
    """In the order in which they came into the job, which never changes. With a `status` the items that have it now are counted
    and passed over: of a job that runs, only all items together can be walked through without missing one.
    """
    state = state_of(request)
    async with state.snapshot() as connection:
        batch = await jobs.find(connection, caller, job_id)
        found, count = await job_items.page(connection, batch, status, min(offset, FAR), limit)
    items = [item_view(state.secret, batch, one) for one in found]
    return json_reply({"items": items, "next_page_token": None, "total_size": count})


@router.get(
    "/items/{item_id}/processing-results",
    response_model=schemas.ProcessingResults,
    responses=refusals(404),
    summary="What was made of an item, in all batch jobs",
)
async def get_item_processing_results(
    request: Request, caller: Reader, item_id: str, job_type: Annotated[schemas.JobType | None, Query()] = None
) -> Response:
    """As far as it is kept: results go with their jobs."""
    state, item = state_of(request), ItemId.read(item_id)
    async with state.snapshot() as connection:
        name = await job_items.name(connection, caller.id, item) if item else None
        if item is None or name is None:
            raise Problem(ProblemCode.FILE_NOT_FOUND, "Item not found")
        wanted = job_type in (None, "parse")
        found = await job_items.results(connection, caller.id, item, RESULTS) if wanted else []
    base = base_url(request.scope, state.settings.public_url)
    results = [result_view(state.secret, base, batch, one) for batch, one in found]
    return json_reply({"item_id": item.text, "item_name": name, "processing_results": results})
