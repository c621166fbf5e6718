"""/api/v2/batches: batches of directories in the second version's words. They are the same batches as batch jobs are."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.llamacloud import batch_schemas as schemas
from thresher.api.llamacloud import jobs, paging
from thresher.api.llamacloud.body import read_body
from thresher.api.llamacloud.directories import key_of
from thresher.api.llamacloud.errors import refusals
from thresher.api.llamacloud.job_requests import receiver
from thresher.api.llamacloud.job_views import job_id_of, status_of, updated_at
from thresher.api.llamacloud.paging import PageSize, PageToken
from thresher.api.llamacloud.project import Reader, Writer
from thresher.api.llamacloud.values import COMMAS, Moment
from thresher.api.openapi import json_body
from thresher.api.reply import json_bytes, json_reply, to_json
from thresher.api.state import State, state_of
from thresher.domain import ids
from thresher.domain.parse import ParseJob
from thresher.domain.states import BatchState, JobStatus
from thresher.settings import Settings
from thresher.storage import job_items
from thresher.storage import jobs as storage
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.items import Item

router = APIRouter(prefix="/api/v2/batches", tags=["batches of directories"])

MOST = 1000  # files in one batch

_PRESET = {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}


@router.post(
    "",
    status_code=201,
    response_model=schemas.ParseBatch,
    responses=refusals(*jobs.BODY, 402, 404, 409),
    openapi_extra=json_body(
        schemas.NewParseBatch,
        directory={"source_directory_id": "dir-4e0b6f0a-95f5-4c2f-a8c0-36d1b7d0a4f4", "config": {"job": _PRESET}},
    ),
    summary="Parse all files of a directory",
)
async def create_parse_batch(request: Request, caller: Writer, idempotency_key: IdempotencyKey = None) -> Response:
    settings = state_of(request).settings

    async def read() -> storage.NewJob:
        return _new(await read_body(request, schemas.NewParseBatch), caller, settings)

    async def write(connection: Connection, new: storage.NewJob) -> Response:
        return json_bytes(to_json(_view(await jobs.create(connection, new), caller)), status=201)

    return await once(request, caller, idempotency_key, read, write)


@router.get("", response_model=schemas.ParseBatchPage, responses=refusals(), summary="List batches of directories")
async def list_parse_batches(
    request: Request,
    caller: Reader,
    source_directory_id: Annotated[str | None, Query(description="Only those of this directory.")] = None,
    status: Annotated[schemas.Status | None, Query()] = None,
    created_at_on_or_after: Annotated[Moment | None, Query()] = None,
    created_at_on_or_before: Annotated[Moment | None, Query()] = None,
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> Response:
    """Newest first."""
    state, listing = state_of(request), f"batches {caller.id}"
    before = paging.place(state.secret, listing, page_token) if page_token else None
    key = ids.unprefixed("dir", source_directory_id) if source_directory_id is not None else None
    if status == "THROTTLED" or (source_directory_id is not None and key is None):  # there are none of them here
        return json_reply({"items": [], "next_page_token": None, "total_size": 0})
    named = JobStatus(status.lower()) if status else None
    wanted = storage.Wanted("bat-", key, named, created_at_on_or_after, created_at_on_or_before, before=before)
    async with state.snapshot() as connection:
        found = await storage.page(connection, caller.id, wanted, 0, page_size + 1)
        count = None if page_token else await storage.count(connection, caller.id, wanted)
    shown, more = found[:page_size], len(found) > page_size
    following = paging.token(state.secret, listing, shown[-1].id) if more else None
    items = [_view(batch, caller) for batch in shown]
    return json_reply({"items": items, "next_page_token": following, "total_size": count})


@router.get(
    "/{parse_batch_id}", response_model=schemas.ParseBatch, responses=refusals(404, 410), summary="How far a batch is"
)
async def get_parse_batch(
    request: Request,
    caller: Reader,
    parse_batch_id: str,
    expand: Annotated[list[Literal["results"]] | None, Query(description="What is wanted beside it."), COMMAS] = None,
) -> Response:
    state = state_of(request)
    async with state.snapshot() as connection:
        batch = await jobs.find(connection, caller, parse_batch_id, "bat-")
        over = batch.state is BatchState.DONE
        found = (await job_items.page(connection, batch, None, 0, MOST))[0] if expand and over else None
    results = None if found is None else _results(state, [one.item for one in found])
    return json_reply(_view(batch, caller, results))


@router.post(
    "/{parse_batch_id}/cancel",
    response_model=schemas.ParseBatch,
    responses=refusals(400, 404, 410),
    summary="Cancel a batch",
)
async def cancel_parse_batch(request: Request, caller: Writer, parse_batch_id: str) -> Response:
    """Nothing that is pending is begun after the answer. A file in hand may still be completed, and what is done stays."""
    async with state_of(request).connection() as connection:
        batch = await jobs.find(connection, caller, parse_batch_id, "bat-")
        return json_reply(_view(await jobs.stop(connection, caller, batch), caller))


def _new(asked: schemas.NewParseBatch, caller: Account, settings: Settings) -> storage.NewJob:
    tier = asked.config.job.configuration_id.removeprefix("cfg-PARSE_").lower()
    parse = ParseJob.asked({"tier": tier}, first_page=1)
    place = ("webhook_configurations", 0, "webhook_url")
    return storage.NewJob(
        account=caller.id,
        kind="bat-",
        options={**parse.options, "config": asked.config.model_dump()},
        directory=key_of(asked.source_directory_id),
        items=[],
        webhook=receiver(asked.model_dump(), [place], settings, "body"),
        limit=MOST,
        lifetime=settings.batch_timeout,
        shard_size=settings.shard_size,
    )


def _view(batch: Batch, caller: Account, results: Sequence[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "id": batch.public_id,
        "project_id": str(caller.project),
        "source_directory_id": f"dir-{batch.directory_id}",
        "config": batch.options.get("config"),
        "status": status_of(batch).upper(),
        "created_at": batch.created_at,
        "updated_at": updated_at(batch),
        "results": results,
    }


def _results(state: State, found: list[Item]) -> list[dict[str, Any]]:
    jobs_of = [(item, job_id_of(state.secret, item)) for item in found]
    return [
        {
            "source_directory_file_id": item.custom_id,
            "job_reference": {"type": "parse_v2", "id": job_id} if job_id else None,
            "error_message": None if job_id else item.detail,
        }
        for item, job_id in jobs_of
    ]
