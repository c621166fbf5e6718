"""GET /v1/hosted/...: one content of one item for whoever has its URL, without a key, until that expires.

From a store that signs URLs the content comes itself: it is put there once, and the answer leads to it. Else it comes from
here, and cannot act on this origin: a page is somebody else's script.
"""

import asyncio
import time
from hashlib import sha256
from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from thresher.api.etag import matches
from thresher.api.olostep import results
from thresher.api.olostep.content import content_of
from thresher.api.olostep.results import Result, not_found
from thresher.api.openapi import problems
from thresher.api.state import State, state_of
from thresher.api.streaming import at_rest
from thresher.convert.frame import Frame
from thresher.domain import hosted
from thresher.domain.failure import ItemFailed
from thresher.domain.hosted import File
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage.blobs import pack_folder, shared_key

router = APIRouter(prefix="/v1", tags=["batches"], responses=problems(404, 410, 500, 503))

_FORMATS = {file.name: name for name, file in hosted.FILES.items()}


@router.get(
    "/hosted/{retrieve_id}/{file}",
    response_class=Response,
    responses={
        200: {"description": "The content.", "content": {file.media_type: {} for file in hosted.FILES.values()}},
        304: {"description": "It is the one that If-None-Match names."},
        307: {"description": "The content lies in the object store, under a URL that it signed."},
    },
    summary="A content, by the URL that a retrieve gave",
)
async def hosted_content(
    request: Request, retrieve_id: str, file: str, expires: str = "", signature: str = ""
) -> Response:
    """Needs no key: whoever has the URL has the content."""
    return await _answer(request, "GET", retrieve_id, file)


@router.head("/hosted/{retrieve_id}/{file}", include_in_schema=False)
async def hosted_head(request: Request, retrieve_id: str, file: str) -> Response:
    return await _answer(request, "HEAD", retrieve_id, file)


async def _answer(request: Request, method: Literal["GET", "HEAD"], retrieve_id: str, file: str) -> Response:
    state = state_of(request)
    expires = _expiry(request, state, retrieve_id, file)
    result = await results.find(state, None, retrieve_id)
    if state.blobs.shares:
        key = await _shared(state, result, _FORMATS[file])
        left = max(1, expires - int(time.time()))
        url = await state.blobs.signed_url(method, key, left)
        return RedirectResponse(url, 307, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    headers = _headers(result, hosted.FILES[_FORMATS[file]])
    if matches(request.headers, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return await _streamed(state, result, _FORMATS[file], headers, head=method == "HEAD")


def _expiry(request: Request, state: State, retrieve_id: str, file: str) -> int:
    """When the URL expires, in seconds since the epoch. Raises Problem: content_not_found unless it is ours, hosted_url_expired."""
    expires, signature = (request.query_params.get(name, "") for name in ("expires", "signature"))
    if not hosted.is_genuine(state.hosted_secret, (retrieve_id, file), expires, signature):
        raise not_found()
    if int(expires) <= time.time():
        raise Problem(ProblemCode.HOSTED_URL_EXPIRED, "This URL is no longer good; the content may still be there.")
    return int(expires)


async def _shared(state: State, result: Result, name: str) -> str:
    """The key of the object that is the content, put there if it is not yet."""
    file, batch = hosted.FILES[name], result.batch.public_id
    key = shared_key(batch, result.item.ord, file.name)
    if await state.blobs.exists(key):
        return key
    limit = state.settings.max_decoded_bytes
    async with results.opened(state, result) as frame:
        data = await asyncio.to_thread(_bytes_of, frame, name, limit)
        await state.blobs.share(key, data, media_type=file.media_type, disposition=_disposition(file))
    try:
        await results.find(state, None, result.retrieve_id)
    except Problem:  # purged meanwhile, and the purge may have looked here already
        await state.blobs.delete_all(pack_folder(batch))
        raise
    return key


async def _streamed(state: State, result: Result, name: str, headers: dict[str, str], *, head: bool) -> Response:
    async with results.opened(state, result) as frame:
        data = await asyncio.to_thread(_bytes_of, frame, name, state.settings.max_decoded_bytes)
        if head:
            return Response(headers=headers | {"Content-Length": str(len(data))})
        return await at_rest(data, headers, state.blobs.folder)


def _bytes_of(frame: Frame, name: str, html_limit: int) -> bytes:
    """Raises Problem(content_not_found)."""
    try:
        text = content_of(frame, name, html_limit)
    except ItemFailed:
        raise not_found("This content is larger than THRESHER_MAX_DECODED_BYTES allows by now.") from None
    if text is None:
        raise not_found("This item has no content of this format.")
    return text.encode()


def _headers(result: Result, file: File) -> dict[str, str]:
    # What is stored does not change, so that its place tells one content from another.
    place = f"{result.item.pack_key}:{result.item.span}:{file.name}"
    return {
        "Content-Type": file.media_type,
        "Content-Disposition": _disposition(file),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Referrer-Policy": "no-referrer",  # a page's links must not carry the URL that opens it
        "Cache-Control": "private, no-cache",  # kept, and asked about each time: the batch may be purged
        "ETag": f'"{sha256(place.encode()).hexdigest()[:32]}"',
    }


def _disposition(file: File) -> str:
    """A page is saved, not shown: from the object store it comes without a policy that would hold its scripts."""
    return f'{"attachment" if file.media_type.startswith("text/html") else "inline"}; filename="{file.name}"'
