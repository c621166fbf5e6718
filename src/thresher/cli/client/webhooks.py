"""The webhook commands, each from its options to its exit code."""

import asyncio
import sys
import time
import uuid
from datetime import datetime

from thresher.cli import table
from thresher.cli.client import show
from thresher.cli.client.progress import display
from thresher.cli.client.remote import Json, Remote
from thresher.cli.client.session import connected
from thresher.cli.errors import CommandError, ExitCode
from thresher.cli.terminal import put
from thresher.settings import Settings

COLUMNS = ("event", "type", "state", "attempt", "at", "ms", "answer")
WAIT = 10.0  # seconds beyond the receiver's own time, for a worker to begin
LOOK = 0.2  # seconds between two looks at a test


async def deliveries(settings: Settings, batch_id: str, limit: int, *, as_json: bool) -> ExitCode:
    """Print what was sent to the batch's webhook."""
    with display(as_json=as_json) as shown:
        async with connected(settings, shown) as remote:
            answer = await remote.call("GET", f"/v1/batches/{batch_id}/deliveries", params={"limit": limit})
    if as_json:
        show.json(answer)
    elif rows := [row for event in answer["data"] for row in _rows(event)]:
        table.write(rows, COLUMNS)
    else:
        print("Nothing was sent: the batch is not done, or has no webhook.", file=sys.stderr)
    return ExitCode.OK


async def resend(settings: Settings, batch_id: str, event_id: str, *, as_json: bool) -> ExitCode:
    """Have the event delivered again."""
    with display(as_json=as_json) as shown:
        async with connected(settings, shown) as remote:
            event = await _post(remote, f"/v1/batches/{batch_id}/deliveries/{event_id}/resend")
    if as_json:
        show.json(event)
    else:
        print(f"{event['id']} is delivered again.", file=sys.stderr)
    return ExitCode.OK


async def recover(settings: Settings, since: float, *, as_json: bool) -> ExitCode:
    """Have everything delivered again that did not arrive since."""
    with display(as_json=as_json) as shown:
        async with connected(settings, shown) as remote:
            answer = await _post(remote, "/v1/webhooks/recover", {"since": since})
    if as_json:
        show.json(answer)
    else:
        print(f"Events that are delivered again: {answer['recovered']}.", file=sys.stderr)
    return ExitCode.OK


async def try_receiver(settings: Settings, url: str, *, as_json: bool) -> ExitCode:
    """Try a receiver, and print what came of it."""
    with display(as_json=as_json) as shown:
        async with connected(settings, shown) as remote:
            event = await _post(remote, "/v1/webhooks/test", {"webhook": url})
            end = time.monotonic() + settings.webhook_timeout + WAIT
            while event["state"] == "pending":
                if time.monotonic() > end:
                    raise CommandError(f"nobody has tried {event['id']} yet. Does a worker run?")
                await asyncio.sleep(LOOK)
                event = await remote.call("GET", f"/v1/webhooks/events/{event['id']}")
    if as_json:
        show.json(event)
    else:
        table.write(_rows(event), COLUMNS)
    return ExitCode.OK if event["state"] == "delivered" else ExitCode.ERROR


async def rotate(settings: Settings, *, as_json: bool) -> ExitCode:
    """Make a new secret, and print it."""
    with display(as_json=as_json) as shown:
        async with connected(settings, shown) as remote:
            answer = await _post(remote, "/v1/webhooks/rotate")
    if as_json:
        show.json(answer)
        return ExitCode.OK
    until = f"{datetime.fromtimestamp(answer['previous_until']).astimezone():%Y-%m-%d %H:%M}"
    print(f"The new secret, shown only now; the one before it signs beside it until {until}:", file=sys.stderr)
    put(answer["secret"])
    return ExitCode.OK


async def _post(remote: Remote, path: str, data: Json | None = None) -> Json:
    return await remote.call("POST", path, data=data, key=uuid.uuid4().hex)


def _rows(event: Json) -> list[tuple[str, ...]]:
    """A row for each attempt, or one that says that there was none."""
    head = (event["id"], event["type"], event["state"])
    return [(*head, one["attempt"], _time(one["at"]), str(one["ms"]), _answer(one)) for one in event["attempts"]] or [
        (*head, "-", "-", "-", "-")
    ]


def _answer(attempt: Json) -> str:
    if attempt["error"]:
        return f"{attempt['error']['code']}: {attempt['error']['message']}"
    return f"{attempt['status']} {attempt['response'][:80]}".rstrip()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
