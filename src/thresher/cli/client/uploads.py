"""Files of entries to the server: streamed, several at a time, each once, also when an answer is lost or the command goes on later."""

import asyncio
import io
import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import aiohttp

from thresher.cli.client.inputs import Entry
from thresher.cli.client.remote import Json, Refused, Remote
from thresher.cli.client.sources import InputError

TOGETHER = 4
FILES = "/api/v1/beta/files"

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class Uploads:
    """The uploads for one batch. A file that several entries name is uploaded once."""

    def __init__(self, remote: Remote, batch_id: str, tell: Callable[[int], None], *, again: bool) -> None:
        """`tell` is given the number of bytes that were sent so far. `again`: some may be there already, of a command before."""
        self._remote, self._batch_id, self._tell = remote, batch_id, tell
        self._again = again
        self._ids: dict[Path, str] = {}
        self._turn = asyncio.Semaphore(TOGETHER)
        self._sent = 0

    async def attach(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, with the ids of their files, which are there by then. Raises InputError, by file or line."""
        new = {entry.file: entry for entry in entries if entry.file and entry.file not in self._ids}
        tasks = [asyncio.create_task(self._upload(file, entry)) for file, entry in new.items()]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._again = self._again and not new  # the command before has sent no more than one slice that is not appended
        return [entry.having(file_id=self._ids[entry.file]) if entry.file else entry for entry in entries]

    async def _upload(self, file: Path, entry: Entry) -> None:
        named = blake2b(str(file).encode(errors="surrogateescape"), digest_size=16).hexdigest()
        mark = f"{self._batch_id}/{named}"
        async with self._turn:
            found = await self._find(mark) if self._again else None
            if found is None:
                found = await self._send(file, entry, mark)
        self._ids[file] = str(found["id"])

    async def _send(self, file: Path, entry: Entry, mark: str) -> Json:
        loop, sent = asyncio.get_running_loop(), 0

        def count(size: int) -> None:
            nonlocal sent
            sent += size
            self._sent += size
            self._tell(self._sent)

        def form() -> aiohttp.FormData:
            count(-sent)  # what was sent of it before was lost
            made = aiohttp.FormData(quote_fields=False)  # a name goes out as it is, and not percent-encoded
            made.add_field("purpose", "parse")
            made.add_field("external_file_id", mark)
            body = _Counted(io.FileIO(file), lambda size: loop.call_soon_threadsafe(count, size))
            named = _CONTROLS.sub("_", file.name)  # in a head they would end it
            made.add_field("file", body, filename=named, content_type="application/octet-stream")
            return made

        try:
            return await self._remote.upload(FILES, form, lambda: self._find(mark))
        except Refused as refused:
            if not 400 <= refused.status < 500 or refused.status in (401, 402, 403):
                raise
            raise InputError(f"{entry.place}: {refused}") from refused
        except OSError as error:
            raise InputError(f"{entry.place}: {file} cannot be read: {error.strerror}") from error

    async def _find(self, mark: str) -> Json | None:
        """The file that was uploaded under a mark before, if there is one."""
        page = await self._remote.call("GET", FILES, params={"external_file_id": mark, "page_size": 1})
        found: list[Json] = page["items"]
        return found[0] if found else None


class _Counted(io.BufferedReader):
    """A file that says how much of it is read. It is read in a thread."""

    def __init__(self, raw: io.RawIOBase, tell: Callable[[int], object]) -> None:
        super().__init__(raw)
        self._tell = tell

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._tell(len(data))
        return data
