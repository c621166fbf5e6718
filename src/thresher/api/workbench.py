"""A converter of the API's own, for trying parsers: one child, started when it is first needed, under the limits of a worker's.

Those who come at once wait for one another.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from fastapi import Request

from thresher.convert.converter import Converter
from thresher.convert.document import How, Source
from thresher.convert.process import SpawnFailed
from thresher.convert.sandbox import Converted
from thresher.domain.problem import Problem, ProblemCode
from thresher.settings import Settings

LINE = 60.0  # seconds to wait for those before; a page may take half of that


class Workbench:
    """Belongs to one event loop; `close` must be awaited at its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._converter: Converter | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def convert(self, source: Source, how: How) -> Converted:
        """Raises ItemFailed as the converter does; Problem(service_unavailable) where the line does not move, or no child can be started."""
        async with self._at_the_bench():
            try:
                return await (await self._started()).convert(source, how=how)
            except SpawnFailed as error:
                raise Problem(ProblemCode.SERVICE_UNAVAILABLE, f"No page can be read: {error}.") from None

    async def _started(self) -> Converter:
        if self._closed:
            raise SpawnFailed("the server is ending")
        if self._converter is None:
            starting = Converter.of(self._settings)
            await starting.start()
            self._converter = starting
        return self._converter

    @asynccontextmanager
    async def _at_the_bench(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(LINE):
                await self._turn.acquire()
        except TimeoutError:
            detail = f"Others are trying parsers, and have not ended within {LINE:g} s."
            raise Problem(ProblemCode.SERVICE_UNAVAILABLE, detail) from None
        try:
            yield
        finally:
            self._turn.release()

    async def close(self) -> None:
        """End the child; whoever waits for it is refused."""
        self._closed = True
        if self._converter is not None:
            await self._converter.close()


def workbench_of(request: Request) -> Workbench:
    """The running API's workbench."""
    return cast(Workbench, request.app.state.workbench)
