"""Input to a started batch: made open, filled, started; or gone on with."""

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from thresher.cli.client.course import Course
from thresher.cli.client.inputs import Entry, InputFormat, entries
from thresher.cli.client.progress import Display, Step
from thresher.cli.client.remote import Json, Remote
from thresher.cli.client.sources import Found, InputError, Kind, Source, find
from thresher.cli.client.threads import in_thread
from thresher.cli.client.upload import upload
from thresher.cli.client.uploads import Uploads
from thresher.cli.errors import CommandError, ExitCode


@dataclass(frozen=True, slots=True)
class Input:
    """What is to be sent: `arguments`, and what they are if not their names say that. `fields` are those of the create request, `timeout` is in seconds from the start of the batch,
    `continued` is a batch that was begun before.
    """

    arguments: Sequence[str]
    as_files: bool | None
    input_format: InputFormat | None
    fields: Json
    timeout: float | None
    continued: str | None

    def sources(self, most_bytes: int, display: Display) -> Found:
        """The arguments, looked at. Raises InputError."""
        return find(self.arguments, as_files=self.as_files, most_bytes=most_bytes, tell=display.tell)


async def submit(remote: Remote, given: Input, sources: Sequence[Source], course: Course, display: Display) -> None:
    """Have everything in a batch, and the batch started; `course` knows it then. Raises InputError."""
    items = entries(sources, given.input_format)
    if given.continued is None:
        # Nothing is made for an input that has nothing, or is wrong from the beginning.
        first = await in_thread(lambda: next(items, None))
        if first is None:
            raise InputError(f"there is no URL in {', '.join(given.arguments)}")
        await _submit_new(remote, given, sources, chain([first], items), course, display)
        return
    view = await remote.batch(given.continued)
    course.batch_id, course.started = view["id"], view["state"] != "open"
    if course.started:
        display.tell(f"{view['id']} has been sent and started.")
    else:
        await _fill(remote, given, sources, items, course, display, skip=int(view["total_urls"]))


async def _submit_new(
    remote: Remote, given: Input, sources: Sequence[Source], items: Iterator[Entry], course: Course, display: Display
) -> None:
    fields = {**given.fields, "open": True, "source": "cli"}
    course.batch_id = (await remote.call("POST", "/v1/batches", data=fields, key=secrets.token_hex(16)))["id"]
    try:
        await _fill(remote, given, sources, items, course, display, skip=0)
    except CommandError as error:
        if error.code is not ExitCode.USAGE:
            raise
        # It cannot be filled as it is. What is left of it is of no use to anybody.
        with contextlib.suppress(CommandError):
            await remote.call("POST", f"/v1/batches/{course.batch_id}/cancel")
        course.batch_id = None
        raise CommandError(f"{error}\nNothing was submitted.", ExitCode.USAGE) from error


async def _fill(
    remote: Remote,
    given: Input,
    sources: Sequence[Source],
    items: Iterator[Entry],
    course: Course,
    display: Display,
    skip: int,
) -> None:
    batch_id = str(course.batch_id)
    files = [source.size for source in sources if source.kind is Kind.FILE]
    # What lists name is only known when they are read, and of what goes on something was sent before.
    total = sum(files) if len(files) == len(sources) and not skip else None

    def sending(done: int) -> None:
        if not files:
            display.step(Step("Sending", done, None))

    def uploading(sent: int) -> None:
        display.step(Step("Uploading", sent, total, in_bytes=True))

    uploads = Uploads(remote, batch_id, uploading, again=given.continued is not None)
    await upload(remote, batch_id, items, skip, uploads, sending)
    # Not at its creation: sending may take longer than that.
    params = {} if given.timeout is None else {"timeout": f"{given.timeout:f}"}
    view = await remote.call("POST", f"/v1/batches/{batch_id}/start", params=params)
    course.started = True
    display.tell(f"{batch_id}: {view['total_urls']:,} items")
