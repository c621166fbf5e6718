"""/api/v1/beta/directories/{directory_id}/files: bringing files into directories, listing, changing and deleting them there."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.llamacloud import directory_schemas as schemas
from thresher.api.llamacloud import paging
from thresher.api.llamacloud.body import read_body, read_fields
from thresher.api.llamacloud.directories import BODY, find, key_of
from thresher.api.llamacloud.directory_views import file_key, not_there, refused, view
from thresher.api.llamacloud.downloads import url_of
from thresher.api.llamacloud.errors import refusals
from thresher.api.llamacloud.file_schemas import upload_body
from thresher.api.llamacloud.files import lifetime
from thresher.api.llamacloud.paging import PageSize, PageToken
from thresher.api.llamacloud.project import Reader, Writer
from thresher.api.llamacloud.values import COMMAS, Moment, Name
from thresher.api.openapi import json_body
from thresher.api.reply import json_bytes, to_json
from thresher.api.state import state_of
from thresher.api.uploads import receive
from thresher.domain import ids
from thresher.storage import directory_files, files
from thresher.storage.accounts import Account
from thresher.storage.database import Connection
from thresher.storage.directory_files import DirectoryFile, Named, NewFile, NoFile

router = APIRouter(prefix="/api/v1/beta/directories/{directory_id}/files", tags=["directories"])

Expand = Annotated[list[Literal["download_url"]] | None, Query(description="Repeated, or with commas between."), COMMAS]

_TEXTS: dict[str, Any] = schemas.UploadedFile.model_json_schema()["properties"]


@router.post(
    "",
    status_code=201,
    response_model=schemas.DirectoryFileModel,
    responses=refusals(*BODY, 404, 409),
    openapi_extra=json_body(schemas.AddedFile, named={"file_id": str(UUID(int=0)), "display_name": "March.pdf"}),
    summary="Bring a file into a directory",
)
async def add_directory_file(
    request: Request, caller: Writer, directory_id: str, idempotency_key: IdempotencyKey = None
) -> Response:
    async def read() -> schemas.AddedFile:
        return await read_body(request, schemas.AddedFile)

    async def write(connection: Connection, asked: schemas.AddedFile) -> Response:
        named = Named(asked.display_name, asked.unique_id, asked.metadata)
        directory, file = key_of(directory_id), ids.bare(asked.file_id)
        with refused():
            if file is None:
                raise NoFile
            made = await directory_files.add(connection, caller.id, directory, file, named)
        return json_bytes(to_json(view(caller, made)), status=201)

    return await once(request, caller, idempotency_key, read, write)


@router.post(
    "/upload",
    status_code=201,
    response_model=schemas.DirectoryFileModel,
    responses=refusals(*BODY, 404, 409),
    openapi_extra=upload_body("upload_file", _TEXTS, []),
    summary="Upload a file into a directory",
)
async def upload_directory_file(request: Request, caller: Writer, directory_id: str) -> Response:
    """The file is one of the account's, for as long as the directory has time, and at most as long as all files are kept."""
    state = state_of(request)
    async with state.connection() as connection:
        directory = await find(connection, caller, directory_id)
    async with receive(request, caller, "upload_file") as uploaded:
        asked = read_fields(schemas.UploadedFile, uploaded.fields)
        named = Named(asked.display_name, asked.unique_id, asked.metadata)
        new = NewFile(uploaded.name, asked.external_file_id, lifetime(state))
        async with state.connection() as connection:
            with refused():
                made = await directory_files.upload(connection, caller.id, directory.id, uploaded.received, new, named)
    return json_bytes(to_json(view(caller, made)), status=201)


@router.get("", response_model=schemas.DirectoryFilePage, responses=refusals(404), summary="List a directory's files")
async def list_directory_files(
    request: Request,
    caller: Reader,
    directory_id: str,
    display_name: Annotated[Name | None, Query(description="Exactly this name.")] = None,
    display_name_contains: Annotated[Name | None, Query(description="A part of the name, in any case.")] = None,
    unique_id: Annotated[Name | None, Query(description="Exactly this id.")] = None,
    file_id: Annotated[UUID | None, Query()] = None,
    include_deleted: Annotated[bool, Query()] = False,
    updated_at_on_or_after: Annotated[Moment | None, Query()] = None,
    updated_at_on_or_before: Annotated[Moment | None, Query()] = None,
    expand: Expand = None,
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> Response:
    """In the order in which they came into the directory, which is that of the items of a batch of it."""
    state, key = state_of(request), key_of(directory_id)
    listing = f"files {key}"
    after = paging.place(state.secret, listing, page_token) if page_token else 0
    asked = {
        "display_name": display_name,
        "display_name_contains": display_name_contains,
        "unique_id": unique_id,
        "file_id": file_id,
        "updated_from": updated_at_on_or_after,
        "updated_to": updated_at_on_or_before,
    }
    filters = {name: value for name, value in asked.items() if value is not None}
    async with state.snapshot() as connection:
        await find(connection, caller, directory_id)
        found, more = await directory_files.page(connection, key, filters, after, page_size, deleted=include_deleted)
        count = None if page_token else await directory_files.count(connection, key, filters, deleted=include_deleted)
        urls = await _urls(request, connection, caller, found) if expand else {}
    following = paging.token(state.secret, listing, found[-1].seq) if more else None
    items = [view(caller, one, urls.get(one.file_id)) for one in found]
    return json_bytes(orjson.dumps({"items": items, "next_page_token": following, "total_size": count}))


@router.post(
    "/bulk-delete",
    status_code=204,
    responses=refusals(*BODY, 404),
    openapi_extra=json_body(schemas.DeletedFiles, one={"directory_file_ids": [f"dfl-{UUID(int=0)}"]}),
    summary="Take up to 100 files out of a directory",
)
async def delete_directory_files(request: Request, caller: Writer, directory_id: str) -> Response:
    """All of them, or none if one of them is not there. The files themselves stay."""
    asked = await read_body(request, schemas.DeletedFiles)
    await _delete(request, caller, directory_id, asked.directory_file_ids)
    return Response(status_code=204)


@router.get(
    "/{directory_file_id}",
    response_model=schemas.DirectoryFileModel,
    responses=refusals(404),
    summary="Read a file of a directory",
)
async def get_directory_file(
    request: Request, caller: Reader, directory_id: str, directory_file_id: str, expand: Expand = None
) -> Response:
    async with state_of(request).connection() as connection:
        directory = await find(connection, caller, directory_id)
        found = await directory_files.get(connection, directory.id, file_key(directory_file_id))
        if found is None:
            raise not_there([directory_file_id])
        urls = await _urls(request, connection, caller, [found]) if expand else {}
    return json_bytes(to_json(view(caller, found, urls.get(found.file_id))))


@router.patch(
    "/{directory_file_id}",
    response_model=schemas.DirectoryFileModel,
    responses=refusals(*BODY, 404, 409),
    openapi_extra=json_body(schemas.ChangedFile, renamed={"display_name": "April.pdf", "metadata": {"pages": 3}}),
    summary="Rename a file of a directory, or move it to another",
)
async def update_directory_file(
    request: Request, caller: Writer, directory_id: str, directory_file_id: str
) -> Response:
    """What is null or left out stays; metadata is replaced as a whole."""
    asked = await read_body(request, schemas.ChangedFile)
    directory, key = key_of(directory_id), file_key(directory_file_id)
    target = None if asked.target_directory_id is None else key_of(asked.target_directory_id)
    named = Named(asked.display_name, asked.unique_id, asked.metadata)
    async with state_of(request).connection() as connection:
        with refused():
            changed = await directory_files.change(connection, caller.id, directory, key, named, target)
    if changed is None:
        raise not_there([directory_file_id])
    return json_bytes(to_json(view(caller, changed)))


@router.delete(
    "/{directory_file_id}", status_code=204, responses=refusals(404), summary="Take a file out of a directory"
)
async def delete_directory_file(
    request: Request, caller: Writer, directory_id: str, directory_file_id: str
) -> Response:
    """The file itself stays, and so do items of batches that are this file."""
    await _delete(request, caller, directory_id, [directory_file_id])
    return Response(status_code=204)


async def _urls(
    request: Request, connection: Connection, caller: Account, some: Sequence[DirectoryFile]
) -> dict[UUID | None, Mapping[str, Any]]:
    """URLs of their bytes, by the ids of the files that there are."""
    found = await files.get_many(connection, caller.id, {one.file_id for one in some if one.file_id})
    return {key: await url_of(request, file) for key, file in found.items()}


async def _delete(request: Request, caller: Account, directory_id: str, named: Sequence[str]) -> None:
    keys = {text: ids.unprefixed("dfl", text) for text in named}
    wanted = [key for key in keys.values() if key]
    async with state_of(request).connection() as connection:
        directory = await find(connection, caller, directory_id)
        if unknown := [text for text, key in keys.items() if key is None]:
            raise not_there(unknown)
        missing = await directory_files.delete(connection, directory.id, wanted)
    if missing:
        raise not_there([text for text, key in keys.items() if key in missing])
