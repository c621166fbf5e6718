"""/api/v2/parse: single parses made, uploaded, listed and cancelled. Their results: parse_read.py."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api import uploads
from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.llamacloud import downloads, paging, parse_begin, parse_job, parse_request, parse_schemas
from thresher.api.llamacloud.body import read_body, read_json
from thresher.api.llamacloud.errors import invalid, refusals
from thresher.api.llamacloud.file_schemas import upload_body
from thresher.api.llamacloud.paging import PageSize, PageToken
from thresher.api.llamacloud.parse_job import Job
from thresher.api.llamacloud.parse_request import ParseConfiguration, ParseRequest
from thresher.api.llamacloud.project import Reader, Writer
from thresher.api.llamacloud.values import COMMAS, Moment
from thresher.api.openapi import json_body
from thresher.api.reply import json_reply
from thresher.api.state import State, state_of
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import Outcome
from thresher.domain.url import Url
from thresher.storage import batches, files, parses
from thresher.storage.accounts import Account
from thresher.storage.database import Connection
from thresher.storage.parses import Status, Wanted
from thresher.storage.submit import NewItem

router = APIRouter(prefix="/api/v2/parse", tags=["parse"])

BODY = (400, 413, 415)
VERSIONS = ["latest"]
_CONFIGURATION = {
    "configuration": {
        "type": "string",
        "format": "parse-configuration",
        "description": "As JSON what a ParseRequest has, without file_id and source_url.",
    }
}


@router.post(
    "",
    response_model=parse_schemas.ParseJob,
    responses=refusals(*BODY, 402, 404, 409),
    openapi_extra=json_body(
        ParseRequest,
        file={"tier": "fast", "version": "latest", "file_id": "0c8e0f3e-6a2b-4d53-9a8c-1d4a5c1f2b11"},
        url={"tier": "fast", "version": "latest", "source_url": "https://example.com/report.pdf"},
    ),
    summary="Parse one file, or what is at a URL",
)
async def create_parse_job(request: Request, caller: Writer, idempotency_key: IdempotencyKey = None) -> Response:
    state = state_of(request)

    async def read() -> tuple[parse_request.Wanted, UUID | Url]:
        asked = await read_body(request, ParseRequest)
        return parse_request.read(asked, state.settings), parse_request.read_source(asked, state.settings)

    async def write(connection: Connection, read: tuple[parse_request.Wanted, UUID | Url]) -> Response:
        wanted, source = read
        item = await _file(connection, caller, source) if isinstance(source, UUID) else parse_begin.of_url(source)
        return _reply(await parse_begin.begin(connection, caller, state, wanted, item), caller)

    return await once(request, caller, idempotency_key, read, write)


@router.post(
    "/upload",
    response_model=parse_schemas.ParseJob,
    responses=refusals(*BODY, 402),
    openapi_extra=upload_body("file", _CONFIGURATION, ["configuration"]),
    summary="Upload a file and parse it",
)
async def upload_parse_job(request: Request, caller: Writer) -> Response:
    """The file is one of the account's then, as if it had been uploaded before."""
    state = state_of(request)
    async with uploads.receive(request, caller) as upload:
        text = upload.fields.get("configuration")
        if not text:
            raise invalid("body", "configuration", msg="Field required", kind="missing")
        asked = read_json(ParseConfiguration, text, "configuration")
        job = await parse_begin.of_upload(caller, state, parse_request.read(asked, state.settings), upload)
    return _reply(job, caller)


@router.get("", response_model=parse_schemas.ParseJobs, responses=refusals(), summary="List single parses")
async def list_parse_jobs(
    request: Request,
    caller: Reader,
    status: Annotated[Status | None, Query()] = None,
    job_ids: Annotated[
        list[str] | None, Query(description="Repeated, or with commas between.", max_length=1000), COMMAS
    ] = None,
    created_at_on_or_after: Annotated[Moment | None, Query()] = None,
    created_at_on_or_before: Annotated[Moment | None, Query()] = None,
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> Response:
    """Newest first. The parse jobs of batches are listed with their batch, and not here."""
    state, listing = state_of(request), f"parses {caller.id}"
    before = paging.place(state.secret, listing, page_token) if page_token else None
    keys = None if job_ids is None else _keys(state, job_ids)
    wanted = Wanted(status, created_at_on_or_after, created_at_on_or_before, keys)
    async with state.snapshot() as connection:
        found, more = await parses.page(connection, caller.id, wanted, before, page_size)
        count = None if page_token else await parses.count(connection, caller.id, wanted)
    following = paging.token(state.secret, listing, found[-1][0].id) if more else None
    jobs = [parse_job.view(parse_begin.single(state, batch, item), caller) for batch, item in found]
    return json_reply({"items": jobs, "next_page_token": following, "total_size": count})


@router.get("/versions", response_model=parse_schemas.Versions, responses=refusals(), summary="What `version` may be")
async def list_versions(_: Reader) -> Response:
    """There is one, of which any name is taken."""
    return json_reply(dict.fromkeys(parse_schemas.Versions.model_fields, VERSIONS))


@router.post(
    "/{parse_job_id}/cancel",
    response_model=parse_schemas.ParseJob,
    responses=refusals(400, 404, 410),
    summary="Cancel a single parse",
)
async def cancel_parse_job(request: Request, caller: Writer, parse_job_id: str) -> Response:
    """What is under way may still be completed. One that has ended cannot be cancelled."""
    state = state_of(request)
    job = await parse_job.find(state, caller, parse_job_id)
    if ids.unprefixed(parses.KIND, job.batch.public_id) is None:
        detail = f"This job is one of the batch {job.batch.public_id}, which can only be cancelled as a whole."
        raise Problem(ProblemCode.VALIDATION_ERROR, detail)
    if job.status not in ("PENDING", "RUNNING"):
        raise Problem(ProblemCode.VALIDATION_ERROR, f"This job is {job.status}, so it cannot be cancelled.")
    async with state.connection() as connection:
        await batches.stop(connection, job.batch.id, Outcome.CANCELLED)
    return _reply(await parse_job.find(state, caller, job.id), caller)


async def _file(connection: Connection, caller: Account, file_id: UUID) -> NewItem:
    file = await files.get(connection, caller.id, file_id)
    if file is None:
        raise downloads.not_found()
    return parse_begin.of_file(file)


def _keys(state: State, job_ids: Sequence[str]) -> list[int]:
    places = [ids.read_parse_job_id(state.secret, job_id) for job_id in job_ids]
    return [place[0] for place in places if place and place[1] == 0]


def _reply(job: Job, caller: Account) -> Response:
    return json_reply(parse_job.view(job, caller))
