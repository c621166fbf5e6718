"""A large answer on its way to a client: in a file without a name, so that a slow client holds no memory.

It is gone when it is closed, or with the process.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO, cast

from thresher.storage.blobs import StoreUnusable

CHUNK = 256 * 1024  # bytes


def spool(data: bytes, folder: Path | None) -> BinaryIO:
    """`data` in a temporary file of this folder, to be read from its start. Raises StoreUnusable if there is no room for it."""
    try:
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `pieces` closes it
        file.write(data)
        file.seek(0)
    except OSError as error:
        raise StoreUnusable(f"there is no temporary file to be had: {error}") from error
    return cast(BinaryIO, file)


async def pieces(file: BinaryIO) -> AsyncGenerator[bytes]:
    """What is in the file, piece by piece; closes it."""
    with file:
        while piece := await asyncio.to_thread(file.read, CHUNK):
            yield piece
