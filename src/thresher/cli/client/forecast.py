"""A forecast: the whole input in one request, so that what is told of it is exact, and the answer for a person."""

from collections.abc import Iterator, Sequence

import orjson

from thresher.cli import table
from thresher.cli.client.inputs import Entry
from thresher.cli.client.remote import Json, Remote
from thresher.cli.client.sources import InputError
from thresher.cli.client.submit import Input
from thresher.cli.client.threads import in_thread
from thresher.cli.errors import ExitCode
from thresher.cli.terminal import harmless, put

SHOWN = 10  # places of a kind


async def forecast(remote: Remote, given: Input, items: Iterator[Entry], most_bytes: int) -> Json:
    """What the server says of a batch of these items: its answer, with the `place` in the input of each item that it names.

    Raises InputError for an input without items, and for one of more bytes than a request may have.
    """
    entries = await in_thread(lambda: list(_bounded(items, most_bytes)))
    if not entries:
        raise InputError(f"there is no URL in {', '.join(given.arguments)}")
    timeout = {} if given.timeout is None else {"timeout": given.timeout}
    body = {**given.fields, **timeout, "items": [orjson.Fragment(entry.item) for entry in entries]}
    told = await remote.call("POST", "/v1/batches", data=body, params={"dry_run": "true"})
    for one in (*told["refused"], *told["failing"]):
        one["place"] = entries[one["index"]].place
    return told


def _bounded(items: Iterator[Entry], most_bytes: int) -> Iterator[Entry]:
    size = 0
    for entry in map(_unsent, items):
        size += len(entry.item) + 1
        if size > most_bytes:
            raise InputError(
                f"a forecast is made in one request, and up to {entry.place} there are more than {most_bytes} bytes"
                " (THRESHER_MAX_REQUEST_BYTES); have a part of the input forecast, as by `head -n 100000`"
            )
        yield entry


def _unsent(entry: Entry) -> Entry:
    """Of a file, which a forecast needs not to be uploaded, its name and its size."""
    if entry.file is None:
        return entry
    try:
        size = entry.file.stat().st_size
    except OSError as error:
        raise InputError(f"{entry.place}: {entry.file} cannot be read: {error.strerror}") from error
    return entry.having(file={"name": str(entry.file), "size": size})


def exit_code(told: Json) -> ExitCode:
    """What `thresher batch` would come to: an input that is refused, too few credits, or nothing of the kind."""
    if told["counts"]["refused"]:
        return ExitCode.USAGE
    return ExitCode.OK if told["accepted"] else ExitCode.ERROR


def show(told: Json) -> None:
    """The answer, in lines."""
    counts, robots = told["counts"], told["robots"]
    files = f", files: {counts['files']:,}" if counts["files"] else ""
    put(
        f"Items: {counts['total']:,}, different URLs: {counts['unique_urls']:,}{files}, hosts: {told['hosts']['total']:,}"
    )
    if counts["duplicates"]:
        put(f"Duplicates: {counts['duplicates']:,}")
    if counts["refused"]:
        put(f"Refused: {counts['refused']:,}. Nothing is submitted until they are mended.")
        _places(told["refused"], counts["refused"])
    if counts["failing"]:
        codes = ", ".join(f"{count:,} {code}" for code, count in told["failing_by_code"].items())
        put(f"Will fail: {counts['failing']:,} ({codes})")
        _places(told["failing"], counts["failing"])
    if robots["unknown"] is not None:
        known = f"{robots['allowed']:,} allowed, {robots['disallowed']:,} disallowed"
        put(f"robots.txt: {known}, {robots['unknown']:,} not known yet (hosts: {robots['unknown_hosts']:,})")
    put(_credits(told["credits"]))
    for line in _duration(told["duration"]):
        put(line)
    _hosts(told["hosts"]["largest"])


def _hosts(largest: Sequence[Json]) -> None:
    """The hosts of which there is something to say."""
    rows = [
        (one["host"], *(_number(one[name]) for name in ("items", "urls", "interval", "pause")))
        for one in largest
        if one["items"] > 1 or one["interval"] or one["pause"]
    ]
    if rows:
        put("")
        table.write(rows, ("host", "items", "to fetch", "seconds between two", "seconds of pause"))


def _places(places: Sequence[Json], total: int) -> None:
    for one in places[:SHOWN]:
        put(f"  {harmless(one['place'])}: {harmless(one['reason'])}")
    if total > SHOWN:
        put(f"  and {total - SHOWN:,} more")


def _credits(credits_: Json) -> str:
    available = "any number" if credits_["available"] is None else f"{credits_['available']:,}"
    verdict = "" if credits_["sufficient"] else ": too few, so the batch would be refused"
    return f"Credits: {credits_['most']:,} at most, of {available} available{verdict}"


def _duration(duration: Json) -> Iterator[str]:
    """How long, and of what that is made."""
    if duration["seconds"] is None:
        yield f"Duration: not known. {duration['reason']}"
    else:
        late = "" if duration["within_timeout"] else ", which is longer than it may take"
        yield f"Duration: about {span(duration['seconds'])}{late}"
    if slowest := duration["slowest_host"]:
        parts = [f"{slowest['urls']:,} URLs"]
        parts += [f"{slowest['before']:,} items of others before them"] if slowest["before"] else []
        parts += [f"{slowest['seconds_per_page']:.2g} s a page"] if slowest["seconds_per_page"] else []
        parts += [f"one every {slowest['interval']:g} s"] if slowest["interval"] else []
        parts += [f"none for {span(slowest['pause'])}"] if slowest["pause"] else []
        yield f"  the slowest host, {harmless(slowest['host'])}: {span(slowest['seconds'])} ({', '.join(parts)})"
    server, measured = duration["server"], duration["measured"]
    if measured and server["seconds"] is not None:
        pace = f"at {measured['items_per_second']:,.4g} a second, measured in batches of the {measured['of']}"
        before = f", {server['before']:,} items of others before them" if server["before"] else ""
        yield f"  the server: {span(server['seconds'])} ({server['urls']:,} URLs{before}, {pace})"


def span(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _number(value: float) -> str:
    return f"{value:g}" if value else "-"
