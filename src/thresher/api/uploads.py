"""A request's file, into the store as it comes in: never whole in memory, and in no temporary file.

Whoever takes an upload makes a file of it before the block ends; what fails there, and a client that goes away, leaves nothing.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

from fastapi import Request
from starlette.types import Scope

from thresher.api.multipart import AROUND, Form
from thresher.api.state import State, state_of
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage import contents
from thresher.storage.accounts import Account
from thresher.storage.contents import Received, Upload

# Where files are taken, which have a limit of their own.
_PATHS = re.compile(
    r"/api/v1/beta/files|/api/v1/beta/directories/[^/]+/files/upload|/api/v2/parse/upload|/api/(?:v1/)?parsing/upload"
)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What came: the texts of the form, the file's name, and its bytes, for `files.create`."""

    fields: dict[str, str]
    name: str
    received: Received


def is_upload(scope: Scope) -> bool:
    """Whether a request's body is taken by `receive`, which sees to its limits."""
    return scope["method"] == "POST" and bool(_PATHS.fullmatch(scope["path"]))


@asynccontextmanager
async def receive(request: Request, caller: Account, part: str = "file") -> AsyncIterator[Uploaded]:
    """The file in the part of this name, and all that is sent beside it, before or after.

    Raises Problem: validation_error, file_too_large, body_too_large, unsupported_media_type; and RequestValidationError.
    """
    state = state_of(request)
    limit = state.settings.max_file_bytes
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > limit + AROUND):
        raise _too_large(limit)
    form = Form(request.headers.get("content-type", ""), part)
    async with aclosing(form.file(request.stream())) as chunks:
        first = await anext(chunks, b"")
        if not first:
            raise Problem(ProblemCode.VALIDATION_ERROR, "Uploaded file is empty.")
        async with state.connection() as connection:
            upload = await contents.begin(connection, caller.id)
        try:
            received = await _store(state, upload, first, chunks)
            yield Uploaded(form.fields, form.filename or "", received)
        except BaseException:
            async with state.connection() as connection:
                await contents.abandon(connection, upload)
            raise


async def _store(state: State, upload: Upload, first: bytes, rest: AsyncGenerator[bytes]) -> Received:
    digest, size, limit = sha256(), 0, state.settings.max_file_bytes

    def count(chunk: bytes) -> bytes:
        nonlocal size
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        digest.update(chunk)
        return chunk

    async def counted() -> AsyncIterator[bytes]:
        yield count(first)
        async for chunk in rest:
            yield count(chunk)

    await state.blobs.put_stream(upload.key, counted())
    return Received(upload, digest.digest(), size)


def _too_large(limit: int) -> Problem:
    return Problem(
        ProblemCode.FILE_TOO_LARGE, f"The file is larger than the limit of {limit} bytes (THRESHER_MAX_FILE_BYTES)."
    )
