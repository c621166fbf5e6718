"""`thresher webhooks`: its flags, and which module does it. It runs against any server, as the batch commands do."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from thresher.cli.client.commands import BatchId, check_id, run
from thresher.cli.errors import ExitCode, fail
from thresher.cli.options import DataDirectory, Json

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

app = typer.Typer(
    name="webhooks",
    help="See what was sent to webhooks, send it again, and change the secret.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

EventId = Annotated[str, typer.Argument(metavar="EVENT", help="The event's id: event_...")]


@app.command(epilog="Example: thresher webhooks deliveries batch_abc")
def deliveries(
    batch_id: BatchId,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Of how many events, the newest first.")] = 20,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """List what was sent to a batch's webhook: a row for each attempt."""
    from thresher.cli.client import webhooks

    check_id(batch_id)
    run(lambda settings: webhooks.deliveries(settings, batch_id, limit, as_json=as_json), data_dir)


@app.command(epilog="Example: thresher webhooks resend batch_abc event_def")
def resend(batch_id: BatchId, event_id: EventId, data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """Deliver an event of a batch again, from the first attempt on."""
    from thresher.cli.client import webhooks

    check_id(batch_id)
    if re.fullmatch(r"event_\w+", event_id, re.ASCII) is None:
        fail(f"there is no event {event_id!r}: an id looks like event_4kt9xw2m.", ExitCode.NOT_FOUND)
    run(lambda settings: webhooks.resend(settings, batch_id, event_id, as_json=as_json), data_dir)


@app.command(epilog="Examples: thresher webhooks recover --since 2h   |   ... --since 2026-11-22T10:00Z")
def recover(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="How long ago (45m, 12h, 3d), or a date and time by ISO 8601.")
    ],
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Deliver again all events since a time that did not arrive."""
    from thresher.cli.client import webhooks

    moment = _moment(since)
    run(lambda settings: webhooks.recover(settings, moment, as_json=as_json), data_dir)


@app.command("test", epilog="Example: thresher webhooks test https://hooks.example.com/thresher")
def try_receiver(
    url: Annotated[str, typer.Argument(metavar="URL", help="The receiver to try.")],
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Send a test event, and say what came of it. The exit code is 1 if it did not arrive."""
    from thresher.cli.client import webhooks

    run(lambda settings: webhooks.try_receiver(settings, url, as_json=as_json), data_dir)


@app.command(epilog="Example: thresher webhooks rotate > webhook.secret")
def rotate(data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """Make a new secret for signatures.

    It is printed alone on standard output, and never shown again. The one before it signs beside it for 24 hours.
    """
    from thresher.cli.client import webhooks

    run(lambda settings: webhooks.rotate(settings, as_json=as_json), data_dir)


def _moment(text: str) -> float:
    """Seconds since the epoch. A time without a zone is the machine's own."""
    if match := re.fullmatch(r"(\d{1,9})([smhdw])", text):
        return max(0.0, time.time() - int(match[1]) * SECONDS[match[2]])
    try:
        return max(0.0, datetime.fromisoformat(text).astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "a time like 45m, 12h or 3d (ago), or 2026-11-22T10:00Z", param_hint="--since"
        ) from None
