"""An answer of unknown length, sent as it is made: the client's pace is the pace, and its leaving is the end.

A failure in the middle ends the connection without the last chunk, so that no client takes a part for the whole.
"""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Send

from thresher.api.problems import UNAVAILABLE
from thresher.domain.problem import Problem

log = logging.getLogger(__name__)


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
