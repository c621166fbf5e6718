"""The routes of parse jobs in the first version of that API, under both of its paths."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from thresher.api.llamacloud import parse_job, parse_result, parse_v1_views
from thresher.api.llamacloud.errors import refusals
from thresher.api.llamacloud.parse_job import Found, Job
from thresher.api.olostep import results
from thresher.api.reply import json_reply, to_json
from thresher.api.state import state_of
from thresher.api.streaming import at_rest
from thresher.convert.frame import Frame
from thresher.domain.documents import EXTENSIONS

router = APIRouter(prefix="/api/v1/parsing", tags=["parse"])
older = APIRouter(prefix="/api/parsing", include_in_schema=False)  # the same, as older clients know it

_MISSING = refusals(404, 410)

Metadata = dict[str, Any]
Endpoint = Callable[..., Awaitable[Response]]


def _get(path: str, **about: Any) -> Callable[[Endpoint], Endpoint]:
    """Both routers' `get`."""

    def register(endpoint: Endpoint) -> Endpoint:
        for each in (router, older):
            each.get(path, **about)(endpoint)
        return endpoint

    return register


class JobV1(BaseModel):
    id: str
    status: Literal["PENDING", "SUCCESS", "ERROR", "CANCELLED"]
    error_code: str | None
    error_message: str | None


class JobDetailsV1(JobV1):
    file_name: str
    created_at: datetime
    updated_at: datetime
    parameters: dict[str, Any] = Field(description="As they were sent, but for secrets.")


class MarkdownV1(BaseModel):
    markdown: str
    job_metadata: Metadata


class TextV1(BaseModel):
    text: str
    job_metadata: Metadata


class JsonV1(BaseModel):
    pages: list[dict[str, Any]] = Field(description="Each has `page`, `text`, `md`, `items`, `width`, `height`, ...")
    job_metadata: Metadata


@_get("/job/{parse_job_id}", response_model=JobV1, responses=_MISSING, summary="A parse job (first version)")
async def get_job(job: Found) -> Response:
    return json_reply(parse_v1_views.job_view(job))


@_get("/job/{parse_job_id}/details", response_model=JobDetailsV1, responses=_MISSING, summary="What was asked for")
async def get_details(job: Found) -> Response:
    return json_reply(parse_v1_views.details_view(job))


@_get(
    "/job/{parse_job_id}/result/markdown",
    response_model=MarkdownV1,
    responses=_MISSING,
    summary="The document as markdown",
)
async def get_markdown(request: Request, job: Found) -> Response:
    return await _made(request, job, lambda frame: to_json({"markdown": frame.markdown, **_metadata(job, frame)}))


@_get("/job/{parse_job_id}/result/text", response_model=TextV1, responses=_MISSING, summary="The document as text")
async def get_text(request: Request, job: Found) -> Response:
    return await _made(request, job, lambda frame: to_json({"text": frame.text, **_metadata(job, frame)}))


@_get("/job/{parse_job_id}/result/json", response_model=JsonV1, responses=_MISSING, summary="The document's pages")
async def get_json(request: Request, job: Found) -> Response:
    return await _made(
        request,
        job,
        lambda frame: to_json({"pages": parse_v1_views.pages_view(frame.pages), **_metadata(job, frame)}),
    )


@_get(
    "/job/{parse_job_id}/result/raw/markdown",
    response_class=Response,
    responses={200: {"content": {"text/markdown; charset=utf-8": {}}}, **_MISSING},
    summary="The document as markdown, and nothing around it",
)
async def get_raw_markdown(request: Request, job: Found) -> Response:
    return await _made(request, job, lambda frame: frame.markdown.encode(), "text/markdown; charset=utf-8")


@_get(
    "/job/{parse_job_id}/result/raw/text",
    response_class=Response,
    responses={200: {"content": {"text/plain; charset=utf-8": {}}}, **_MISSING},
    summary="The document as text, and nothing around it",
)
async def get_raw_text(request: Request, job: Found) -> Response:
    return await _made(request, job, lambda frame: frame.text.encode(), "text/plain; charset=utf-8")


@_get(
    "/job/{parse_job_id}/result/image/{name}",
    include_in_schema=False,
    response_class=Response,
    responses=_MISSING,
    summary="A picture of the document: never there",
)
async def get_image(_: Found, name: str) -> Response:
    """Pictures are not taken out of documents, so whatever the name, there is none."""
    raise parse_job.not_found("Image not found: pictures are not taken out of documents.")


@_get("/supported_file_extensions", response_model=list[str], summary="What files that are converted are called")
async def get_extensions() -> Response:
    """Needs no key."""
    return json_reply(EXTENSIONS)


async def _made(
    request: Request, job: Job, make: Callable[[Frame], bytes], media_type: str = "application/json"
) -> Response:
    """What `make`, in a thread, makes of the job's frame. Raises Problem(parse_job_not_found)."""
    state = state_of(request)
    async with results.opened(state, parse_job.result_of(job)) as frame:
        data = await asyncio.to_thread(make, frame)
        headers = {"Content-Type": media_type, "X-Content-Type-Options": "nosniff"}
        return await at_rest(data, headers, state.blobs.folder)


def _metadata(job: Job, frame: Frame) -> dict[str, Metadata]:
    return {"job_metadata": parse_result.job_metadata(frame, cached=job.cached)}
