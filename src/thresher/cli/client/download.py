"""The export of a batch into lines of output: resumed where it broke off, in constant memory."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import orjson

from thresher.cli.client.output import Output
from thresher.cli.client.remote import Json, Lost, Remote
from thresher.cli.client.words import DEFAULT_FORMATS, MORE_FORMATS

_HEAD = ("custom_id", "url", "final_url", "status", "http_status", "title")
_TAIL = ("error", "attempts", "retrieve_id")
_IF_ANY = (
    "file_id",
    "name",
    "verdict",
    "country",
    "country_applied",
    "main_content",
    "fetched_at",
    "reused",
    "skip_reason",
    "metadata",
)


class Download:
    """One export, piece by piece. It knows where it goes on, and what was written: lines, and errors by their code."""

    def __init__(
        self, remote: Remote, batch_id: str, order: str, statuses: Sequence[str], formats: Sequence[str]
    ) -> None:
        """`order`: submitted, finished, or merged with the batch's retries. `statuses`: none means all. `formats`: besides DEFAULT_FORMATS."""
        self.statuses = statuses
        self._remote = remote
        self._path = f"/v1/batches/{batch_id}/export"
        contents = DEFAULT_FORMATS + tuple(name for name in MORE_FORMATS if name in formats)
        self._query = {"lineage": order} if order == "merged" else {"order": order}
        self._query["formats"] = ",".join(contents)
        if statuses:
            self._query["status"] = ",".join(statuses)
        self._fields = _HEAD + contents + _TAIL
        self._cursor = 0
        self.lines = 0
        self.codes: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()  # by status, and as `total`

    async def write(self, output: Output) -> AsyncIterator[int]:
        """Write every line that there is now, and say after each piece how many were written so far."""
        while True:
            try:
                async with aclosing(self._lines()) as pieces:
                    async for lines in pieces:
                        await output.write(self._rendered(lines))
                        yield self.lines
            except Lost as lost:
                await self._remote.until_back(lost.__cause__)
            else:
                return

    async def _lines(self) -> AsyncGenerator[list[bytes], None]:
        """Whole lines, some at a time, however long they are. What follows the last newline is dropped: it broke off."""
        rest: list[bytes] = []
        async with aclosing(self._remote.pieces(self._path, self._query | {"cursor": str(self._cursor)})) as pieces:
            async for piece in pieces:
                *lines, last = piece.split(b"\n")
                if lines:
                    lines[0] = b"".join([*rest, lines[0]])
                    rest = []
                    yield lines
                if last:
                    rest.append(last)

    def _rendered(self, lines: list[bytes]) -> bytes:
        rows: list[Json] = [orjson.loads(line) for line in lines if line]
        for row in rows:
            self._cursor = row["cursor"]
            self._count(row)
        return b"".join(orjson.dumps(self._line(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows)

    def _line(self, row: Json) -> Json:
        return {name: row[name] for name in self._fields} | {name: row[name] for name in _IF_ANY if name in row}

    def _count(self, row: Json) -> None:
        self.lines += 1
        self.counts.update((row["status"], "total"))
        if row["error"] is not None:
            self.codes[row["error"]["code"]] += 1
