"""Checks of servers: the one that runs on the data dir, the port for one, and the one that THRESHER_URL names."""

from typing import Any

import aiohttp

from thresher.cli import runfile
from thresher.cli.address import claim_port
from thresher.cli.doctor.finding import Finding, missing, ok, warning
from thresher.cli.errors import CommandError
from thresher.settings import Settings

PATIENCE = aiohttp.ClientTimeout(total=10)


async def here(settings: Settings) -> Finding:
    """A server on the data dir, and what it says of its dependencies."""
    try:
        note = runfile.read(settings.data_dir)
    except CommandError as error:
        return warning(str(error))
    if note is None or not note.writer_lives():
        return ok("none runs on this data dir")
    url = note.endpoint.url
    try:
        status, body = await _get(f"{url}/readyz")
    except (aiohttp.ClientError, TimeoutError):
        return warning(f"{url} does not answer", f"If it has not just been started: stop process {note.pid}.")
    parts = body.get("dependencies", {})
    found = f"{url}, {', '.join(f'{name} {state}' for name, state in parts.items())}"
    return (
        ok(found)
        if status == 200
        else missing(found, "See what `thresher serve` has printed, or log/ in the data dir.")
    )


async def port(settings: Settings) -> Finding | None:
    """Whether `thresher serve` could listen; not asked while a server runs here."""
    note = runfile.read(settings.data_dir)
    if note is not None and note.writer_lives():
        return None
    try:
        claim_port(settings.host, settings.port)
    except CommandError as error:
        return warning(str(error))
    return ok(f"{settings.port} on {settings.host} is free")


async def named(settings: Settings) -> Finding | None:
    """The server of THRESHER_URL, and whether it takes the key."""
    if settings.url is None:
        return None
    try:
        return await _greet(settings.url, settings.api_key)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return missing(f"{settings.url} does not answer: {error or 'no answer'}", "Start it, or correct THRESHER_URL.")


async def _greet(url: str, key: str | None) -> Finding:
    alive, _ = await _get(f"{url}/healthz")
    if alive != 200:
        return missing(f"{url} is not a Thresher: its /healthz answers {alive}", "Correct THRESHER_URL.")
    if key is None:
        return missing(f"{url} answers, and there is no key for it", "Set THRESHER_API_KEY.")
    status, _ = await _get(f"{url}/v1/account", key)
    if status == 401:
        return missing(f"{url} refuses the key", "Set THRESHER_API_KEY to a key that `thresher keys create` made.")
    if status != 200:
        return warning(f"{url} answers, but {status} to a question with the key", "Look at its /readyz.")
    return ok(f"{url} answers and takes the key")


async def _get(url: str, key: str | None = None) -> tuple[int, dict[str, Any]]:
    """The status, and the body if it is a JSON object."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(timeout=PATIENCE, headers=headers) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        try:
            body = await answer.json(content_type=None)
        except ValueError:
            body = None
        return answer.status, body if isinstance(body, dict) else {}
