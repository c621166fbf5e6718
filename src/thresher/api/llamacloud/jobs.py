"""/api/v1/beta/batch-processing: batch jobs made, listed, read and cancelled. Their items: job_items.py."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.llamacloud import directories
from thresher.api.llamacloud import job_schemas as schemas
from thresher.api.llamacloud.body import read_body
from thresher.api.llamacloud.errors import refusals
from thresher.api.llamacloud.job_requests import read_job, unknown_items
from thresher.api.llamacloud.job_views import job_view, processed, status_of, status_view
from thresher.api.llamacloud.project import Reader, Writer
from thresher.api.olostep.lookup import find_batch
from thresher.api.openapi import json_body
from thresher.api.reply import json_bytes, json_reply, to_json
from thresher.api.state import state_of
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import JobStatus
from thresher.storage import jobs
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.jobs import Kind, Wanted

router = APIRouter(prefix="/api/v1/beta/batch-processing", tags=["batch jobs"])

BODY = (400, 413, 415)
MOST = 1000  # in a page
FAR = 2**31 - 1  # an offset that is behind everything

Limit = Annotated[int, Query(ge=1, le=MOST)]
Offset = Annotated[int, Query(ge=0, description="How many to pass over; behind the last one there is nothing.")]


@router.post(
    "",
    status_code=201,
    response_model=schemas.BatchJob,
    responses=refusals(*BODY, 402, 404, 409),
    openapi_extra=json_body(
        schemas.NewBatchJob,
        directory={
            "job_config": {"parameters": {"lang": "en"}},
            "directory_id": "dir-4e0b6f0a-95f5-4c2f-a8c0-36d1b7d0a4f4",
        },
        items={"job_config": {}, "item_ids": ["dfl-0c8e0f3e-6a2b-4d53-9a8c-1d4a5c1f2b11"]},
    ),
    summary="Parse all files of a directory, or some",
)
async def create_batch_job(request: Request, caller: Writer, idempotency_key: IdempotencyKey = None) -> Response:
    settings = state_of(request).settings

    async def read() -> jobs.NewJob:
        return read_job(await read_body(request, schemas.NewBatchJob, settings.max_request_bytes), caller, settings)

    async def write(connection: Connection, new: jobs.NewJob) -> Response:
        return json_bytes(to_json(job_view(await create(connection, new), caller)), status=201)

    return await once(request, caller, idempotency_key, read, write)


async def create(connection: Connection, new: jobs.NewJob) -> Batch:
    """Begin it. Raises Problem: directory_not_found, file_not_found, validation_error, credits_exhausted."""
    try:
        return await jobs.create(connection, new)
    except jobs.NoDirectory:
        raise directories.not_found() from None
    except jobs.UnknownItems as unknown:
        raise unknown_items(unknown.names) from None
    except jobs.TooManyFiles as many:
        detail = f"There are {many.count} files; the limit of one batch is {new.limit}."
        raise Problem(ProblemCode.VALIDATION_ERROR, detail) from None


@router.get("", response_model=schemas.BatchJobs, responses=refusals(), summary="List batch jobs")
async def list_batch_jobs(
    request: Request,
    caller: Reader,
    directory_id: Annotated[str | None, Query(description="Only those of this directory.")] = None,
    job_type: Annotated[schemas.JobType | None, Query()] = None,
    status: Annotated[schemas.Status | None, Query()] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Response:
    """Newest first; one that comes meanwhile moves all others on by one."""
    key = ids.unprefixed("dir", directory_id) if directory_id is not None else None
    nothing = (
        job_type in ("extract", "classify") or status == "dispatched" or (directory_id is not None and key is None)
    )
    if nothing:  # there are none of them here
        return json_reply({"items": [], "next_page_token": None, "total_size": 0})
    wanted = Wanted("bjb-", key, JobStatus(status) if status else None)
    async with state_of(request).snapshot() as connection:
        found = await jobs.page(connection, caller.id, wanted, min(offset, FAR), limit)
        count = await jobs.count(connection, caller.id, wanted)
    items = [job_view(batch, caller) for batch in found]
    return json_reply({"items": items, "next_page_token": None, "total_size": count})


@router.get(
    "/{job_id}", response_model=schemas.BatchJobStatus, responses=refusals(404, 410), summary="How far a batch job is"
)
async def get_batch_job(request: Request, caller: Reader, job_id: str) -> Response:
    async with state_of(request).connection() as connection:
        batch = await find(connection, caller, job_id)
    return json_reply(status_view(batch, caller))


@router.post(
    "/{job_id}/cancel",
    response_model=schemas.CancelledBatchJob,
    responses=refusals(*BODY, 404, 410),
    openapi_extra=json_body(schemas.CancelBatchJob, why={"reason": "the wrong directory"}, plain={}),
    summary="Cancel a batch job",
)
async def cancel_batch_job(request: Request, caller: Writer, job_id: str) -> Response:
    """Nothing that is pending is begun after the answer. A file in hand may still be completed, and what is done stays."""
    asked = await read_body(request, schemas.CancelBatchJob)
    async with state_of(request).connection() as connection:
        batch = await stop(connection, caller, await find(connection, caller, job_id), asked.reason)
    done = processed(batch)
    return json_reply(
        {
            "job_id": batch.public_id,
            "status": status_of(batch),
            "processed_items": done,
            "message": f"The batch job is cancelled; {done} of its {batch.total} items were processed before.",
        }
    )


async def stop(connection: Connection, caller: Account, batch: Batch, reason: str | None = None) -> Batch:
    """Cancel it, and read it again. Raises Problem(validation_error) if it is over."""
    if not await jobs.cancel(connection, batch, reason):
        batch = await find_batch(connection, caller, batch.public_id)
        detail = f"{batch.public_id} is {status_of(batch)}, and cannot be cancelled."
        raise Problem(ProblemCode.VALIDATION_ERROR, detail)
    return await find_batch(connection, caller, batch.public_id)


async def find(connection: Connection, caller: Account, public_id: str, kind: Kind = "bjb-") -> Batch:
    """Raises Problem: batch_not_found; batch_purged."""
    return await find_batch(connection, caller, public_id if public_id.startswith(kind) else "")
