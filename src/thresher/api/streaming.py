"""Answers at the client's pace: of unknown length, sent as they are made, or large ones, which wait in a file.

A client's leaving is the end. A failure in the middle ends the connection without the last chunk, so that no client takes
a part for the whole.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from thresher.api.problems import UNAVAILABLE
from thresher.domain.problem import Problem
from thresher.storage.blobs import StoreUnusable
from thresher.storage.spool import pieces, spool

log = logging.getLogger(__name__)

SPOOLED = 2**20  # bytes; smaller answers are in memory until they are sent


class Stream(StreamingResponse):
    """The chunks of a generator, which is closed whatever happens: it may hold reads and memory."""

    def __init__(self, chunks: AsyncGenerator[bytes], media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(chunks, headers=headers, media_type=media_type)
        self._chunks = chunks

    async def stream_response(self, send: Send) -> None:
        try:
            async with aclosing(self._chunks):
                await super().stream_response(send)
        except (Problem, *UNAVAILABLE) as error:  # the server cuts the connection, because the answer is not complete
            log.warning("an answer was broken off in the middle: %s: %s", type(error).__name__, error)


async def begun(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same chunks, of which the first is made before this returns: what fails by then can still be answered."""
    first = await anext(chunks, b"")

    async def all_of_them() -> AsyncGenerator[bytes]:
        async with aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return all_of_them()


def resting(data: bytes, folder: Path | None) -> bytes | BinaryIO:
    """What is large in a file of this folder, beside the packs, where it waits for its reader. To be called in a thread.

    Raises StoreUnusable if there is no room for it.
    """
    if len(data) <= SPOOLED:
        return data
    try:
        return spool(data, folder)
    except StoreUnusable:
        if folder is not None:
            raise
        return data  # the packs are elsewhere, and this machine has no place to write to


async def at_rest(data: bytes, headers: Mapping[str, str], folder: Path | None) -> Response:
    """An answer that is whole already; a large one leaves the memory. Raises StoreUnusable."""
    body = data if len(data) <= SPOOLED else await asyncio.to_thread(resting, data, folder)
    if isinstance(body, bytes):
        return Response(body, headers=headers)
    length = {"Content-Length": str(len(data))}
    return Stream(await begun(pieces(body)), headers["Content-Type"], {**headers, **length})
