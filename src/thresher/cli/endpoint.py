"""The server that a command talks to: the one that was named, the one that runs here, or one of its own."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from thresher.cli import address, runfile
from thresher.cli.errors import CommandError, ExitCode, redacted
from thresher.cli.guests import Guests
from thresher.cli.runfile import Endpoint
from thresher.settings import Settings
from thresher.storage.embedded import DataDirInUse, private_folder

_KEY = re.compile(r"[\x21-\x7e]+")  # what a header takes

BUSY_SECONDS = 60.0  # how long another Thresher may take to start or to stop on our data dir
POLL_SECONDS = 0.2

__all__ = ["Endpoint", "endpoint", "find_endpoint"]


async def find_endpoint(settings: Settings) -> Endpoint | None:
    """The server at THRESHER_URL, else the one that runs on the data dir, else None.

    Raises CommandError with exit code 2 if that is no address, with 4 if the key is missing, or the data dir's server is another user's.
    """
    if settings.url is not None:
        return _named(settings.url, settings.api_key)
    note = runfile.read(settings.data_dir)
    if note is None or not note.writer_lives() or not await address.answers(note.endpoint.url):
        return None
    return note.endpoint


def _named(url: str, key: str | None) -> Endpoint:
    _check_url(url)
    if key is None:
        raise CommandError(
            f"THRESHER_URL names the server {url}, and THRESHER_API_KEY, the key for it, is not set. "
            "`thresher keys create`, run beside that server, makes one.",
            code=ExitCode.KEY,
        )
    if _KEY.fullmatch(key) is None:
        raise CommandError(
            "THRESHER_API_KEY is no key: it has a space, a line break or a letter in it that no key has.",
            code=ExitCode.KEY,
        )
    return Endpoint(url, key)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        wrong = not parts.hostname or parts.username is not None or parts.port == 0
    except ValueError:  # the port
        wrong = True
    if wrong:
        raise CommandError(
            f"THRESHER_URL = {redacted(url)} must be like http://server:8080, and name no user: the key is THRESHER_API_KEY.",
            code=ExitCode.USAGE,
        )


@asynccontextmanager
async def endpoint(settings: Settings, tell: Callable[[str], None] = lambda _: None) -> AsyncIterator[Endpoint]:
    """What `find_endpoint` finds; else a server of our own, for as long as the block runs (`cli/stack.py`).

    Other commands may use that one too; then it stays, and `tell` says so, until they have ended.
    """
    if settings.url is not None:
        yield _named(settings.url, settings.api_key)
        return
    async with AsyncExitStack() as parts:
        yield await _reach(parts, settings, tell)


async def _reach(parts: AsyncExitStack, settings: Settings, tell: Callable[[str], None]) -> Endpoint:
    from thresher.cli.stack import embedded_stack

    deadline = asyncio.get_running_loop().time() + BUSY_SECONDS
    guests = Guests(private_folder(settings.data_dir))
    parts.callback(guests.close)
    while True:
        # First a guest, then a look: a server that is there then stays.
        if guests.join() and (found := await find_endpoint(settings)) is not None:
            return found
        try:
            own = await parts.enter_async_context(embedded_stack(settings))
        except DataDirInUse:
            # A server that is only starting, or about to be gone; or another command with one of its own.
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(POLL_SECONDS)
        else:
            parts.push_async_callback(guests.others_gone, tell)
            return own
