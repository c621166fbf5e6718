"""One attempt at an item that is a file: its bytes are read from the store, and converted. Nobody is asked for anything.

Knows nothing of batches, nor of who may have which file.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thresher.convert.document import Source
from thresher.domain.choices import Choices
from thresher.domain.failure import FailureCode, ItemFailed
from thresher.net.budget import Lease
from thresher.net.fetch import SMALL
from thresher.pipeline.attempt import Attempt, now, timed
from thresher.pipeline.item import Tools
from thresher.pipeline.reading import Body, read
from thresher.storage.blobs import BlobMissing, Blobs
from thresher.storage.inputs import Bytes

log = logging.getLogger("thresher.file")


@dataclass(frozen=True, slots=True)
class File:
    """A file to be read: how its items refer to it, its name, which may tell what it is, and where its bytes are."""

    ref: str
    name: str
    bytes: Bytes


async def read_file(file: File, tools: Tools, wants: Sequence[Choices]) -> list[Attempt]:
    """What each of `wants` makes of the file; `file_gone` if it is not in the store as it was uploaded."""
    begun = time.monotonic()
    record: dict[str, Any] = {"at": now(), "bytes": file.bytes.size, "ms": {}}
    with tools.fetcher.lease() as lease:  # until it is converted: bodies that wait for the converter count too
        try:
            body = await _bytes(tools.store, file.bytes, lease)
        except ItemFailed as failed:
            record |= {"code": failed.failure.code, "detail": failed.failure.detail}
            return [Attempt(timed(record, begun), None, failed.failure)] * len(wants)
        record["ms"]["read"] = round((time.monotonic() - begun) * 1000, 1)
        given = Body(Source(file.ref, body, name=file.name), {"fetched_at": record["at"]})
        return [await read(given, tools.converter, record, want, lambda made: timed(made, begun)) for want in wants]


async def _bytes(store: Blobs | None, wanted: Bytes, lease: Lease) -> bytes:
    """Raises ItemFailed. That the store cannot be asked at all says nothing of the file, and is an error of another kind."""
    if wanted.size > SMALL:
        await lease.grow(wanted.size)
    try:
        body = await store.read(wanted.key, 0, wanted.size) if store and wanted.size else b""
    except BlobMissing:
        raise _gone(wanted, "It is not in the store, or not all of it.") from None
    small = wanted.size <= SMALL
    found = hashlib.sha256(body) if small else await asyncio.to_thread(hashlib.sha256, body)
    if found.digest() != wanted.sha256:
        raise _gone(wanted, "What the store has is not what was uploaded.")
    return body


def _gone(wanted: Bytes, detail: str) -> ItemFailed:
    log.error("the file at %s cannot be read: %s", wanted.key, detail)
    return ItemFailed(FailureCode.FILE_GONE, detail)
