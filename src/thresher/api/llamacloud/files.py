"""/api/v1/beta/files: uploading, listing, reading and deleting files. Their bytes: downloads.py."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api import uploads
from thresher.api.llamacloud import file_schemas as schemas
from thresher.api.llamacloud import paging
from thresher.api.llamacloud.body import read_body, read_fields
from thresher.api.llamacloud.downloads import not_found, url_of
from thresher.api.llamacloud.errors import refusals
from thresher.api.llamacloud.paging import PageSize, PageToken
from thresher.api.llamacloud.project import Reader, Writer, check_project
from thresher.api.llamacloud.values import COMMAS, Text
from thresher.api.openapi import json_body
from thresher.api.reply import json_bytes, to_json
from thresher.api.state import State, state_of
from thresher.storage import file_list, files
from thresher.storage.accounts import Account
from thresher.storage.file_list import Order, Wanted
from thresher.storage.files import File

router = APIRouter(prefix="/api/v1/beta/files", tags=["files"])

_FIELDS: dict[str, Any] = schemas.UploadFields.model_json_schema()["properties"]


@router.post(
    "",
    status_code=201,
    response_model=schemas.FileModel,
    responses=refusals(400, 413, 415),
    openapi_extra=schemas.upload_body("file", _FIELDS, ["purpose"]),
    summary="Upload a file",
)
async def upload_file(request: Request, caller: Writer) -> Response:
    """The file goes into the store as it comes in. The same bytes are stored once, however many files are made of them."""
    async with uploads.receive(request, caller) as upload:
        asked = read_fields(schemas.UploadFields, upload.fields)
        state = state_of(request)
        async with state.connection() as connection:
            made = await files.create(
                connection, upload.received, upload.name, asked.purpose, asked.external_file_id, lifetime(state)
            )
    return json_bytes(to_json(view(caller, made)), status=201)


def lifetime(state: State) -> timedelta | None:
    """How long a file is kept that is uploaded now; None for ever."""
    return timedelta(seconds=state.settings.file_retention) or None


@router.get("", response_model=schemas.FilePage, responses=refusals(), summary="List files")
async def list_files(
    request: Request,
    caller: Reader,
    file_ids: Annotated[
        list[UUID] | None,
        Query(description="Any of these; repeated, or with commas between.", max_length=schemas.MOST_IDS),
        COMMAS,
    ] = None,
    file_name: Annotated[Text | None, Query(description="Exactly this name.")] = None,
    external_file_id: Annotated[Text | None, Query(description="Exactly this id.")] = None,
    order_by: Annotated[schemas.OrderBy | None, Query(description=schemas.ORDER)] = None,
    expand: Annotated[
        list[Literal["download_url"]] | None, Query(description="Repeated, or with commas between."), COMMAS
    ] = None,
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> Response:
    """In the order in which they came, if `order_by` does not say another."""
    wanted = Wanted(file_ids, file_name, external_file_id)
    return await _page(request, caller, wanted, order_by, page_size, page_token, expanded=bool(expand))


@router.post(
    "/query",
    deprecated=True,
    response_model=schemas.FilePage,
    responses=refusals(400, 413, 415),
    openapi_extra=json_body(schemas.FileQuery, named={"filter": {"file_name": "a.pdf"}, "order_by": "name desc"}),
    summary="List files, asked by a body",
)
async def query_files(request: Request, caller: Reader) -> Response:
    """As the list; a GET does the same."""
    asked = await read_body(request, schemas.FileQuery)
    chosen = asked.filter or schemas.FileFilter()
    check_project(caller, chosen.project_id)
    ids = [] if chosen.data_source_id is not None else chosen.file_ids
    wanted = Wanted(ids, chosen.file_name, chosen.external_file_id)
    size = min(asked.page_size or 50, paging.MOST)
    return await _page(request, caller, wanted, asked.order_by, size, asked.page_token, expanded=False)


@router.get("/{file_id}", response_model=schemas.FileModel, responses=refusals(404), summary="Read what a file is")
async def get_file(request: Request, caller: Reader, file_id: UUID) -> Response:
    return json_bytes(to_json(view(caller, await _find(request, caller, file_id))))


@router.get(
    "/{file_id}/content",
    response_model=schemas.PresignedUrl,
    responses=refusals(404),
    summary="A URL of a file's bytes",
)
async def get_file_content(
    request: Request,
    caller: Reader,
    file_id: UUID,
    expires_at_seconds: Annotated[
        int | None, Query(ge=1, description="How long the URL is good for, at most as long as the server has it.")
    ] = None,
) -> Response:
    file = await _find(request, caller, file_id)
    return json_bytes(to_json(await url_of(request, file, expires_at_seconds)))


@router.delete("/{file_id}", status_code=204, responses=refusals(404), summary="Delete a file")
async def delete_file(request: Request, caller: Writer, file_id: UUID) -> Response:
    """It is out of all directories then. What was made of it stays; items that were not begun yet fail."""
    async with state_of(request).connection() as connection:
        if not await files.delete(connection, caller.id, file_id):
            raise not_found()
    return Response(status_code=204)


async def _find(request: Request, caller: Account, file_id: UUID) -> File:
    async with state_of(request).connection() as connection:
        file = await files.get(connection, caller.id, file_id)
    if file is None:
        raise not_found()
    return file


async def _page(
    request: Request,
    caller: Account,
    wanted: Wanted,
    order_by: str | None,
    size: int,
    token: str | None,
    *,
    expanded: bool,
) -> Response:
    state, order = state_of(request), _order(order_by)
    listing = f"uploads {caller.id} {order}"
    after = paging.place(state.secret, listing, token) if token else None
    async with state.snapshot() as connection:
        found, behind = await file_list.page(connection, caller.id, wanted, order, after, size)
        count = None if token else await file_list.count(connection, caller.id, wanted)
    items = [view(caller, file, await url_of(request, file) if expanded else None) for file in found]
    following = None if behind is None else paging.token(state.secret, listing, behind)
    return json_bytes(orjson.dumps({"items": items, "next_page_token": following, "total_size": count}))


def _order(text: str | None) -> Order:
    words = [part.split() for part in (text or "").split(",")]
    order: dict[str, bool] = {}
    for name, *direction in filter(None, words):
        order.setdefault(
            name, direction == ["desc"]
        )  # named again it changes nothing, and would cost the database much
    return [*order.items()]


def view(caller: Account, file: File, download: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A file as all answers have it."""
    _, dot, kind = file.name.rpartition(".")
    return {
        "id": str(file.id),
        "name": file.name,
        "project_id": str(caller.project),
        "external_file_id": file.external_file_id,
        "file_type": kind.lower() if dot and kind.isalnum() else None,
        "last_modified_at": file.created_at,
        "expires_at": file.expires_at,
        "purpose": file.purpose,
        "download_url": download,
    }
