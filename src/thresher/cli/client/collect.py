"""A started batch to its results: waited for, written, summed up in a sentence and an exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thresher.cli.client.download import Download
from thresher.cli.client.follow import finished, unsuccessful, until_done, views
from thresher.cli.client.output import Output
from thresher.cli.client.progress import Display, Step
from thresher.cli.client.remote import Json, Remote
from thresher.cli.errors import CommandError, ExitCode

UNREADABLE = "content_unavailable"  # the error of a line whose content the server has lost


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which results, and where to. `path` None is standard output."""

    path: Path | None
    formats: Sequence[str] = ()
    statuses: Sequence[str] = ()
    merged: bool = False  # those of the batch and its retries, as one
    wait: bool = True
    stream: bool = False  # lines as they finish


async def collect(remote: Remote, batch_id: str, wanted: Wanted, output: Output, display: Display) -> ExitCode:
    """Write the results, to the exit code. Raises CommandError."""
    view = await remote.batch(batch_id)
    if view["state"] == "open":
        raise CommandError(
            f"{batch_id} was not started: it has {view['total_urls']:,} items so far. Go on with "
            f"`thresher batch INPUT --continue {batch_id}`, or end it with `thresher cancel {batch_id}`."
        )
    await output.write(b"")  # a pipe is opened, and an end of it seen, also if there is nothing to write
    if wanted.stream and wanted.wait:
        download = Download(remote, batch_id, "finished", wanted.statuses, wanted.formats)
        view = await _as_they_finish(remote, batch_id, download, output, display)
    else:
        if wanted.wait:
            view = await until_done(remote, batch_id, display)
        order = "merged" if wanted.merged else "submitted" if view["state"] == "done" else "finished"
        download = Download(remote, batch_id, order, wanted.statuses, wanted.formats)
        await _at_once(download, view, wanted, output, display)
        if wanted.merged:  # the line of retries has no view of its own: it is what was read
            counts = {name: download.counts[name] for name in view["counts"]}
            view = {"id": batch_id, "state": view["state"], "outcome": None, "counts": counts}
    output.keep()
    code = exit_code(view, unreadable=download.codes[UNREADABLE] > 0)
    display.end(_summary(view, download, wanted.path), _facts(view, download, wanted.path, code))
    return code


async def _as_they_finish(remote: Remote, batch_id: str, download: Download, output: Output, display: Display) -> Json:
    if output.is_terminal:
        display.clear()
    async for view in views(remote, batch_id, display):
        # What had finished when the view was made is in the export now, so none is missing after the last view.
        async for _ in download.write(output):
            pass
        last = view
    _complete(download, last)
    return last


async def _at_once(download: Download, view: Json, wanted: Wanted, output: Output, display: Display) -> None:
    if output.is_terminal:
        display.clear()
    expected = _expected(view, download.statuses)
    async for lines in download.write(output):
        display.step(Step("Writing", lines, max(expected, lines)))
    if view["state"] == "done" and not wanted.merged:
        _complete(download, view)


def _expected(view: Json, statuses: Sequence[str]) -> int:
    counts = view["counts"]
    return sum(counts[status] for status in statuses) if statuses else finished(counts)


def _complete(download: Download, view: Json) -> None:
    expected = _expected(view, download.statuses)
    if download.lines != expected:
        raise CommandError(f"the server has sent {download.lines:,} lines of {expected:,}")


def exit_code(view: Json, *, unreadable: bool = False) -> ExitCode:
    """How the batch ended; of an unfinished one, how it is so far."""
    if view["outcome"] == "expired":
        return ExitCode.DEADLINE
    if view["outcome"] == "cancelled":
        return ExitCode.ERROR
    return ExitCode.ITEMS_FAILED if unreadable or unsuccessful(view["counts"]) else ExitCode.OK


def sentence(view: Json) -> str:
    """What has become of a batch, for a person."""
    counts, state = view["counts"], view["outcome"] or view["state"]
    parts = [f"{counts['completed']:,} completed"]
    parts += [
        f"{counts[name]:,} {name}"
        for name in ("failed", "skipped", "cancelled", "processing", "pending")
        if counts[name]
    ]
    how = {
        "expired": "The deadline has ended it. ",
        "cancelled": "It was cancelled. ",
        "stopping": "It is being stopped. ",
        "open": "It is open: not started yet. ",
    }.get(state, "")
    return f"{how}{counts['total']:,} items: {', '.join(parts)}"


def parsing(view: Json) -> str:
    """How the parser fares, for a person; empty as long as it had nothing to read."""
    stats = view.get("parser_stats") or {"tried": 0}
    return f"The parser matched {stats['matched']:,} of {stats['tried']:,} pages." if stats["tried"] else ""


def _summary(view: Json, download: Download, path: Path | None) -> str:
    codes = ", ".join(f"{count:,} {code}" for code, count in download.codes.most_common(5))
    took = f" in {_duration(view['finished_at'] - view['created'])}" if "finished_at" in view else " so far"
    took = took if "created" in view else ""
    where = "" if path is None else f" {download.lines:,} lines are in {path}."
    matched = f" {told}" if (told := parsing(view)) else ""
    return f"{sentence(view)}{took}.{matched}{f' Errors: {codes}.' if codes else ''}{where}"


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _facts(view: Json, download: Download, path: Path | None, code: int) -> Json:
    known: Json = {name: view[name] for name in ("state", "outcome", "counts", "parser_stats") if name in view}
    output = None if path is None else str(path)
    return {"batch": view["id"], **known, "lines": download.lines, "output": output, "exit_code": code}
