"""Packs: immutable objects that hold the results of one settled chunk of one batch, on a disk or in S3, through obstore.

A pack is durable when `put` returns. It knows nothing of what is in it: rows point into packs by offset and length.
"""

import asyncio
import os
import secrets
import time
from pathlib import Path
from urllib.parse import unquote

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url


class BlobMissing(Exception):
    """The object is not in the store: it was purged, or the store is not the one that it was written to."""


class StoreUnusable(Exception):
    """The store cannot be opened or written to; the message is for the operator."""


class Blobs:
    """The blob store at a URL: `file:///path` or `s3://bucket/prefix`. Safe to share between tasks."""

    def __init__(self, url: str) -> None:
        """Raises StoreUnusable if the URL cannot be understood or the folder not be made."""
        self._root = Path(unquote(url.removeprefix("file://"))) if url.startswith("file://") else None
        try:
            self._store: ObjectStore = (
                from_url(url) if self._root is None else LocalStore(self._root, mkdir=True, automatic_cleanup=True)
            )
        except (OSError, ValueError, BaseError) as error:
            raise StoreUnusable(f"the blob store at {url.partition('://')[0]}:// cannot be opened: {error}") from error

    async def put(self, key: str, data: bytes) -> None:
        """Store an object, durably: on a disk, file and new folders are synced before this returns.

        Raises StoreUnusable; the object may then be there or not, and its key must not be used again.
        """
        try:
            if self._root is None:
                await obstore.put_async(self._store, key, data)
            else:
                await asyncio.to_thread(self._put_local, self._root / key, data)
        except (OSError, BaseError) as error:
            raise StoreUnusable(f"the blob store does not take writes: {error}") from error

    async def probe(self) -> None:
        """Write an object and take it away again. Raises StoreUnusable."""
        key = f"probes/{secrets.token_hex(8)}"
        await self.put(key, b"probe")
        try:
            await obstore.delete_async(self._store, key)
        except (OSError, BaseError) as error:
            raise StoreUnusable(f"the blob store does not let go of an object: {error}") from error

    async def read(self, key: str, offset: int, length: int) -> bytes:
        """A range of an object. Raises BlobMissing."""
        try:
            return bytes(await obstore.get_range_async(self._store, key, start=offset, length=length))
        except (NotFoundError, FileNotFoundError) as error:
            raise BlobMissing(key) from error

    def _put_local(self, path: Path, data: bytes) -> None:
        """What obstore does not do: sync. A pack's name is new, so it needs no rename: nobody reads it before the commit."""
        made = _make_folder(path.parent)
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        for folder in (path.parent, *made):
            _sync_folder(folder)


def pack_key(batch_public_id: str) -> str:
    """A new key under the batch's prefix, so that purging a batch is a prefix delete; in time order within it."""
    return f"packs/{batch_public_id}/{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"


def _make_folder(folder: Path) -> list[Path]:
    """Create a folder and what is missing above it. Returns the folders that got a new entry."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(mode=0o700, exist_ok=True)
    return [new.parent for new in missing]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
