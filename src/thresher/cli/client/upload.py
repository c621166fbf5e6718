"""Entries into an open batch: slice after slice, each taken once, also when an answer is lost on the way."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from thresher.cli.client.inputs import Entry
from thresher.cli.client.remote import Refused, Remote
from thresher.cli.client.slices import Slice, slices
from thresher.cli.client.sources import InputError, hint
from thresher.cli.client.threads import in_thread
from thresher.cli.client.uploads import Uploads
from thresher.cli.errors import CommandError


async def upload(
    remote: Remote, batch_id: str, entries: Iterator[Entry], skip: int, uploads: Uploads, tell: Callable[[int], None]
) -> None:
    """Append the entries behind the first `skip`, which the batch has already; their files are uploaded before.

    `tell` is given the number of items in the batch after each slice. Raises InputError for what the server refuses, by file and line.
    """
    parts = slices(entries, skip, await _last(remote, batch_id, skip) if skip else None)
    while (part := await in_thread(lambda: next(parts, None))) is not None:
        part = replace(part, entries=await uploads.attach(part.entries))
        await _append(remote, batch_id, part)
        tell(part.end)


async def _last(remote: Remote, batch_id: str, count: int) -> str | None:
    """The custom_id of the last of so many items of an open batch."""
    params = {"status": "pending", "cursor": count, "limit": 1}
    page = await remote.call("GET", f"/v1/batches/{batch_id}/items", params=params)
    return page["items"][0]["custom_id"] if page["items"] else None


async def _append(remote: Remote, batch_id: str, part: Slice) -> None:
    end = part.end
    while part.entries:
        try:
            view = await remote.call(
                "POST", f"/v1/batches/{batch_id}/items", data=part.body, params={"offset": part.offset}
            )
            total = int(view["total_urls"])
        except Refused as refused:
            total = _taken(refused, part)
        if not part.offset < total <= end:
            raise CommandError(f"{batch_id} has {total} items, not {end}: somebody else appends to it")
        part = part.beyond(total)


def _taken(refused: Refused, part: Slice) -> int:
    """The items that the batch has after a conflict: an answer was lost, and some of the part or all of it is in."""
    if refused.kind == "append_conflict" and int(refused.problem["total"]) > part.offset:
        return int(refused.problem["total"])
    if refused.kind == "validation_error":
        raise InputError(_placed(refused, part)) from refused
    raise refused


def _placed(refused: Refused, part: Slice) -> str:
    """The refusal with the places of the input, for the lines of the request."""

    def place(match: re.Match[str]) -> str:
        number = int(match[1])
        return part.entries[number - 1].place if 1 <= number <= len(part.entries) else match[0]

    detail = str(refused.problem["detail"])
    first = re.match(r"line (\d+)\b", detail)
    entry = part.entries[int(first[1]) - 1] if first and 1 <= int(first[1]) <= len(part.entries) else None
    return re.sub(r"\bline (\d+)\b", place, detail) + (hint(entry.name) if entry and entry.line == 1 else "")
