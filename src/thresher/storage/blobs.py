"""Immutable objects on a disk or in S3, through obstore: packs, which hold the results of one settled chunk of one batch, and
the bytes of files.

An object is durable when `put` returns. It is not known here what is in it: rows point into packs by offset and length.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple
from urllib.parse import unquote

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store, from_url

_AT_ONCE = 8  # ranges that one `read_all` has under way
_GAP = 64 * 1024  # bytes between two ranges that are cheaper to read than to leave out
_DELETED_TOGETHER = 1000  # objects: what S3 takes in one request
_PIECE = 2**20  # bytes of a stream that are written to a disk, or read, together
_PART = 5 * 2**20  # bytes of a stream that are sent to S3 together, the fewest that it takes
_PARTS_AT_ONCE = 2
# What is streamed comes from callers: whoever has a URL of it saves it, and no browser shows it.
_SAVED = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
SIGNED_MOST = 604_800  # seconds that S3 lets a signed URL be good for

Write = Callable[[bytes], Awaitable[object]]


class Span(NamedTuple):
    """A range of an object, in bytes."""

    key: str
    offset: int
    length: int


class BlobMissing(Exception):
    """The object, or the end of it, is not in the store: it was purged or cut off, or this is not the store it was written to."""


class StoreUnusable(Exception):
    """The store cannot be opened or written to; the message is for the operator."""


class Blobs:
    """The blob store at a URL: `file:///path` or `s3://bucket/prefix`. Safe to share between tasks."""

    def __init__(self, url: str) -> None:
        """Raises StoreUnusable if the URL cannot be understood or the folder not be made."""
        self._root = Path(unquote(url.removeprefix("file://"))) if url.startswith("file://") else None
        try:
            self._store: ObjectStore = from_url(url) if self._root is None else LocalStore(self._root, mkdir=True)
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

    async def put_stream(self, key: str, chunks: AsyncIterable[bytes]) -> None:
        """Store an object that comes in chunks, as durably as `put`; some MiB of it are in memory.

        Raises StoreUnusable, and what `chunks` raises; there is no object then, or one that `delete` takes away.
        """
        writing = self._sending(key) if self._root is None else _writing(self._root / key)
        try:
            async with writing as write:
                async for piece in _gathered(chunks):
                    await write(piece)
        except (OSError, BaseError) as error:
            raise StoreUnusable(f"the blob store does not take writes: {error}") from error

    @asynccontextmanager
    async def _sending(self, key: str) -> AsyncIterator[Write]:
        """What was sent so far is given up if the block fails."""
        opened = obstore.open_writer_async(
            self._store, key, attributes=_SAVED, buffer_size=_PART, max_concurrency=_PARTS_AT_ONCE
        )
        async with opened as writer:
            yield writer.write

    @property
    def folder(self) -> Path | None:
        """Where the objects lie if that is a disk of this machine: a place that is written to in any case."""
        return self._root

    @property
    def shares(self) -> bool:
        """Whether the store itself answers whoever has a URL that it signed; a folder does not."""
        return isinstance(self._store, S3Store)

    async def share(self, key: str, data: bytes, *, media_type: str, disposition: str) -> None:
        """Store an object for those who get a URL of it; once more does no harm. Raises StoreUnusable."""
        headers = {"Content-Type": media_type, "Content-Disposition": disposition}
        try:
            await obstore.put_async(self._store, key, data, attributes=headers, use_multipart=False)
        except (OSError, BaseError) as error:
            raise StoreUnusable(f"the blob store does not take writes: {error}") from error

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            await obstore.head_async(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return False
        return True

    async def signed_url(self, method: Literal["GET", "HEAD"], key: str, seconds: int) -> str:
        """A URL of an object for one method, good for so many seconds, or for as long as S3 permits."""
        if not isinstance(self._store, S3Store):
            raise TypeError("a folder signs no URLs")
        return await obstore.sign_async(self._store, method, key, timedelta(seconds=min(seconds, SIGNED_MOST)))

    async def probe(self) -> None:
        """Write an object and take it away again. Raises StoreUnusable."""
        key = f"probes/{secrets.token_hex(8)}"
        await self.put(key, b"probe")
        try:
            await obstore.delete_async(self._store, key)
        except (OSError, BaseError) as error:
            raise StoreUnusable(f"the blob store does not let go of an object: {error}") from error

    async def read(self, key: str, offset: int, length: int) -> bytes:
        """A range of an object. Raises BlobMissing, also for an object that ends before the range does."""
        found = await self._there(key, offset, length)
        if len(found) < length:
            raise BlobMissing(key)
        return bytes(found)

    async def read_all(self, spans: Sequence[Span]) -> list[memoryview | None]:
        """Many ranges, in their order; None for what is not there (any more). Neighbours are read as one range.

        Holds as many bytes as the spans have together, and the small gaps between them.
        """
        found: list[memoryview | None] = [None] * len(spans)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def fill(run: list[int]) -> None:
            first, last = spans[run[0]], spans[run[-1]]
            async with gate:
                whole = await self._there(first.key, first.offset, last.offset + last.length - first.offset)
            for place in run:
                start = spans[place].offset - first.offset
                if start + spans[place].length <= len(whole):
                    found[place] = whole[start : start + spans[place].length]

        await asyncio.gather(*(fill(run) for run in _neighbours(spans)))
        return found

    async def stream(self, key: str, offset: int, length: int) -> AsyncGenerator[bytes]:
        """A range of an object, piece by piece, as the reader takes them. Raises BlobMissing, also in the middle."""
        end = offset + length
        while offset < end:
            piece = await self.read(key, offset, min(_PIECE, end - offset))
            offset += len(piece)
            yield piece

    async def _there(self, key: str, offset: int, length: int) -> memoryview:
        """What there is of a range: nothing if the object is missing, less if it is shorter."""
        try:
            return await self._range(key, offset, length)
        except BlobMissing:
            return memoryview(b"")
        except BaseError:  # a range that begins behind the end is an error like any other
            if (await obstore.head_async(self._store, key))["size"] <= offset:
                return memoryview(b"")
            raise

    async def _range(self, key: str, offset: int, length: int) -> memoryview:
        try:
            return memoryview(await obstore.get_range_async(self._store, key, start=offset, length=length))
        except (NotFoundError, FileNotFoundError) as error:
            raise BlobMissing(key) from error

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, a thousand at most; those that are not there do no harm. Raises StoreUnusable."""
        try:
            if self._root is None:
                await obstore.delete_async(self._store, keys)
            else:
                await asyncio.to_thread(_unlink, [self._root / key for key in keys])
        except (OSError, BaseError) as error:
            raise StoreUnusable(f"the blob store does not let go of {keys[0]}: {error}") from error

    async def delete_all(self, folder: str) -> int:
        """Delete every object below a folder of the store, a thousand at a time. Returns how many there were.

        May be broken off and repeated. Raises StoreUnusable.
        """
        deleted = 0
        try:
            async for found in obstore.list(self._store, prefix=folder, chunk_size=_DELETED_TOGETHER):
                await obstore.delete_async(self._store, [each["path"] for each in found])
                deleted += len(found)
        except (OSError, BaseError) as error:
            raise StoreUnusable(f"the blob store does not let go of {folder}: {error}") from error
        if self._root is not None:
            # Not obstore's own cleaning up: it takes away the folders above, too, under the feet of whoever writes.
            with contextlib.suppress(OSError):
                await asyncio.to_thread((self._root / folder).rmdir)
        return deleted

    def _put_local(self, path: Path, data: bytes) -> None:
        """What obstore does not do: sync. An object's name is new, so it needs no rename: nobody reads it before the commit."""
        file, made = _new_file(path)
        with file:
            file.write(data)
            _sync(file, made)


@asynccontextmanager
async def _writing(path: Path) -> AsyncIterator[Write]:
    """A file that is there, and synced, after the block, or is not if that fails."""
    file, made = await asyncio.to_thread(_new_file, path)
    try:
        yield lambda piece: asyncio.to_thread(file.write, piece)
        await asyncio.to_thread(_sync, file, made)
    except BaseException:
        _unlink([path])
        raise
    finally:
        file.close()


async def _gathered(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in larger pieces."""
    held, size = [], 0
    async for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


def _new_file(path: Path) -> tuple[BinaryIO, list[Path]]:
    """A new file for this user alone, open, and the folders that have a new entry."""
    made = _make_folder(path.parent)
    file = open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115 - who asked closes it
    return file, [path.parent, *made]


def _sync(file: BinaryIO, folders: Sequence[Path]) -> None:
    file.flush()
    os.fsync(file.fileno())
    for folder in folders:
        _sync_folder(folder)


def _unlink(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _neighbours(spans: Sequence[Span]) -> list[list[int]]:
    """The places of the spans, those that lie next to each other in one object together, in the order of the object; of equal ones all."""
    order = sorted(range(len(spans)), key=lambda place: spans[place])
    runs: list[list[int]] = []
    for place in order:
        span = spans[place]
        before = spans[runs[-1][-1]] if runs else None
        if before is not None and (span == before or _follows(before, span)):
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def _follows(before: Span, span: Span) -> bool:
    return before.key == span.key and 0 <= span.offset - (before.offset + before.length) <= _GAP


def file_key(account: int) -> str:
    """A new key for the bytes of a file."""
    return f"files/{account}/{secrets.token_hex(16)}"


def pack_folder(batch_public_id: str) -> str:
    """The folder of a batch's packs, which holds nothing else but what was made of them to be shared."""
    return f"packs/{batch_public_id}"


def shared_key(batch_public_id: str, ord_: int, name: str) -> str:
    """The key of one content of one item, in the batch's folder, so that it goes with the batch."""
    return f"{pack_folder(batch_public_id)}/hosted/{ord_}/{name}"


def pack_key(batch_public_id: str) -> str:
    """A new key in the batch's folder, so that purging a batch is the deletion of a folder; in time order within it."""
    return f"{pack_folder(batch_public_id)}/{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"


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
