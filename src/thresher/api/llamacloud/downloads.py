"""The bytes of files for whoever has a signed URL, without a key, until that expires.

A store that signs URLs gives them out itself. Else they come from here, piece by piece, as something to be saved: nothing
that was uploaded acts on this origin.
"""

import re
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from thresher.api.llamacloud.errors import refusals
from thresher.api.problems import base_url
from thresher.api.state import State, state_of
from thresher.api.streaming import Stream, begun
from thresher.domain import hosted
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage import files
from thresher.storage.blobs import SIGNED_MOST, BlobMissing
from thresher.storage.files import File

router = APIRouter(tags=["files"])

_TYPE = "application/octet-stream"
_NOT_QUOTED = re.compile(r'[^\x20-\x7e]|["\\%]')


async def url_of(request: Request, file: File, seconds: int | None = None) -> dict[str, Any]:
    """A URL of a file's bytes as all answers have it, good for so long, or for as long as is set, and at most that long."""
    state = state_of(request)
    most = state.settings.hosted_url_seconds
    good = most if seconds is None else min(seconds, most)
    now = time.time()
    if state.blobs.shares:
        good = max(1, min(int(good), SIGNED_MOST))
        url, expires = await state.blobs.signed_url("GET", file.key, good), int(now) + good
    else:
        path, expires = hosted.upload_path(state.hosted_secret, file.id, now, good)
        url = base_url(request.scope, state.settings.public_url) + path
    return {"url": url, "expires_at": datetime.fromtimestamp(expires, UTC), "form_fields": None}


@router.get(
    hosted.UPLOADED,
    response_class=Response,
    responses={
        **{status: answer for status, answer in refusals(404, 410).items() if status not in (401, 403, 429)},
        200: {"description": "The file.", "content": {_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
    },
    summary="A file's bytes, by a signed URL",
)
async def download_file(request: Request, file_id: UUID, expires: str = "", signature: str = "") -> Response:
    """Needs no key: whoever has the URL has the file."""
    state = state_of(request)
    file = await _signed_for(state, file_id, expires, signature)
    chunks = await begun(_bytes_of(state, file))
    return Stream(chunks, _TYPE, _headers(file))


@router.head(hosted.UPLOADED, include_in_schema=False)
async def download_file_head(request: Request, file_id: UUID, expires: str = "", signature: str = "") -> Response:
    file = await _signed_for(state_of(request), file_id, expires, signature)
    return Response(headers=_headers(file), media_type=_TYPE)


def not_found(detail: str = "File not found") -> Problem:
    return Problem(ProblemCode.FILE_NOT_FOUND, detail)


async def _signed_for(state: State, file_id: UUID, expires: str, signature: str) -> File:
    """Raises Problem: file_not_found unless the URL is ours and the file there, hosted_url_expired."""
    if not hosted.is_genuine(state.hosted_secret, hosted.of_upload(file_id), expires, signature):
        raise not_found()
    if int(expires) <= time.time():
        raise Problem(ProblemCode.HOSTED_URL_EXPIRED, "This URL is no longer good; the file may still be there.")
    async with state.connection() as connection:
        file = await files.get(connection, None, file_id)
    if file is None:
        raise not_found()
    return file


async def _bytes_of(state: State, file: File) -> AsyncGenerator[bytes]:
    try:
        async for piece in state.blobs.stream(file.key, 0, file.size):
            yield piece
    except BlobMissing:
        raise not_found("The file's bytes are no longer in the store.") from None


def _headers(file: File) -> dict[str, str]:
    return {
        "Content-Length": str(file.size),
        "Content-Disposition": _disposition(file.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, no-store",
    }


def _disposition(name: str) -> str:
    """To be saved under the last part of its name: once for those who read ASCII alone, once as it is."""
    last = re.split(r"[/\\]", name)[-1][:255]
    return f"attachment; filename=\"{_NOT_QUOTED.sub('_', last)}\"; filename*=UTF-8''{quote(last, safe='')}"
