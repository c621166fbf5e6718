"""/api/v1/beta/directories: making, listing, reading, changing and deleting directories. Their files: directory_files.py."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.llamacloud import directory_schemas as schemas
from thresher.api.llamacloud import paging
from thresher.api.llamacloud.body import read_body
from thresher.api.llamacloud.errors import refusals
from thresher.api.llamacloud.paging import PageSize, PageToken
from thresher.api.llamacloud.project import Reader, Writer
from thresher.api.llamacloud.values import COMMAS, Name
from thresher.api.openapi import json_body
from thresher.api.reply import json_bytes, to_json
from thresher.api.state import state_of
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage import directories
from thresher.storage.accounts import Account
from thresher.storage.database import Connection
from thresher.storage.directories import Directory, NewDirectory, Wanted

router = APIRouter(prefix="/api/v1/beta/directories", tags=["directories"])

BODY = (400, 413, 415)  # what whoever sends a body may be told

# "index" is a type that the service has for itself; here no directory is one.
Type = Literal["user", "ephemeral", "index"]


@router.post(
    "",
    status_code=201,
    response_model=schemas.DirectoryModel,
    responses=refusals(*BODY, 409),
    openapi_extra=json_body(schemas.NewDirectory, inbox={"name": "inbox", "type": "ephemeral"}),
    summary="Make a directory",
)
async def create_directory(request: Request, caller: Writer, idempotency_key: IdempotencyKey = None) -> Response:
    lifetime = timedelta(seconds=state_of(request).settings.ephemeral_directory_seconds)

    async def read() -> schemas.NewDirectory:
        return await read_body(request, schemas.NewDirectory)

    async def write(connection: Connection, asked: schemas.NewDirectory) -> Response:
        fields = asked.model_dump()
        ends = lifetime if asked.type == "ephemeral" else None
        made = await directories.create(connection, NewDirectory(account=caller.id, lifetime=ends, **fields))
        return json_bytes(to_json(_view(caller, made)), status=201)

    return await once(request, caller, idempotency_key, read, write)


@router.get("", response_model=schemas.DirectoryPage, responses=refusals(), summary="List directories")
async def list_directories(
    request: Request,
    caller: Reader,
    name: Annotated[Name | None, Query(description="Exactly this name.")] = None,
    kind: Annotated[Type | None, Query(alias="type")] = None,
    types: Annotated[
        list[Type] | None, Query(description="Any of these; repeated, or with commas between."), COMMAS
    ] = None,
    include_deleted: Annotated[bool, Query()] = False,
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> Response:
    """In the order in which they were made."""
    state, listing = state_of(request), f"directories {caller.id}"
    after = paging.place(state.secret, listing, page_token) if page_token else 0
    chosen = [one for one in (kind, *(types or ())) if one]
    wanted = Wanted(name, chosen or None, include_deleted)
    async with state.snapshot() as connection:
        found, more = await directories.page(connection, caller.id, wanted, after, page_size)
        count = None if page_token else await directories.count(connection, caller.id, wanted)
    following = paging.token(state.secret, listing, found[-1].seq) if more else None
    items = [_view(caller, one) for one in found]
    return json_bytes(orjson.dumps({"items": items, "next_page_token": following, "total_size": count}))


@router.get(
    "/{directory_id}", response_model=schemas.DirectoryModel, responses=refusals(404), summary="Read a directory"
)
async def get_directory(request: Request, caller: Reader, directory_id: str) -> Response:
    async with state_of(request).connection() as connection:
        found = await find(connection, caller, directory_id)
    return json_bytes(to_json(_view(caller, found)))


@router.patch(
    "/{directory_id}",
    response_model=schemas.DirectoryModel,
    responses=refusals(*BODY, 404),
    openapi_extra=json_body(schemas.ChangedDirectory, renamed={"name": "archive"}),
    summary="Change a directory's name or description",
)
async def update_directory(request: Request, caller: Writer, directory_id: str) -> Response:
    """What is null or left out stays."""
    asked = await read_body(request, schemas.ChangedDirectory)
    async with state_of(request).connection() as connection:
        changed = await directories.update(connection, caller.id, key_of(directory_id), asked.name, asked.description)
    if changed is None:
        raise not_found()
    return json_bytes(to_json(_view(caller, changed)))


@router.delete("/{directory_id}", status_code=204, responses=refusals(404), summary="Delete a directory")
async def delete_directory(request: Request, caller: Writer, directory_id: str) -> Response:
    """What is in it is out of it then. The files themselves stay, and so do batches of it, running or done."""
    async with state_of(request).connection() as connection:
        if not await directories.delete(connection, caller.id, key_of(directory_id)):
            raise not_found()
    return Response(status_code=204)


async def find(connection: Connection, caller: Account, public_id: str) -> Directory:
    """The caller's directory of this id. Raises Problem(directory_not_found)."""
    found = await directories.get(connection, caller.id, key_of(public_id))
    if found is None:
        raise not_found()
    return found


def key_of(public_id: str) -> UUID:
    """Raises Problem(directory_not_found) for what can be no directory's id."""
    key = ids.unprefixed("dir", public_id)
    if key is None:
        raise not_found()
    return key


def not_found() -> Problem:
    return Problem(ProblemCode.DIRECTORY_NOT_FOUND, "Directory not found")


def _view(caller: Account, directory: Directory) -> Mapping[str, Any]:
    return {
        "id": f"dir-{directory.id}",
        "name": directory.name,
        "project_id": str(caller.project),
        "type": directory.type,
        "description": directory.description,
        "system_metadata": directory.system_metadata,
        "connector_subscription_id": directory.connector_subscription_id,
        "created_at": directory.created_at,
        "updated_at": directory.updated_at,
        "expires_at": directory.expires_at,
        "deleted_at": directory.deleted_at,
    }
