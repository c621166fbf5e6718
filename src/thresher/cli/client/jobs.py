"""The batch commands, each from its options to its exit code."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from thresher.cli.client import forecast as forecasts
from thresher.cli.client import show
from thresher.cli.client.collect import Wanted, collect, exit_code
from thresher.cli.client.course import Course, result_options
from thresher.cli.client.follow import until_done
from thresher.cli.client.inputs import entries
from thresher.cli.client.output import Output, opened
from thresher.cli.client.progress import Display, display
from thresher.cli.client.remote import Json, Remote
from thresher.cli.client.session import connected
from thresher.cli.client.submit import Input, submit
from thresher.cli.errors import ExitCode
from thresher.cli.terminal import put
from thresher.settings import Settings

__all__ = [
    "Course",
    "Input",
    "Wanted",
    "apply",
    "batch",
    "cancel",
    "explain",
    "forecast",
    "recent",
    "result_options",
    "results",
    "retry",
    "status",
]


async def batch(settings: Settings, given: Input, wanted: Wanted, course: Course, *, as_json: bool) -> ExitCode:
    """Submit the input; wait for its results and write them, or print the batch's id."""
    with display(as_json=as_json) as shown:
        found = given.sources(settings.max_file_bytes, shown)
        with opened(wanted.path if wanted.wait else None) as output:
            async with connected(settings, shown) as remote:
                with course.explained(shown):
                    await submit(remote, given, found.sources, course, shown)
                    code = await _results_or_id(remote, wanted, course, output, shown, as_json=as_json)
    return ExitCode.ITEMS_FAILED if found.left_out and code is ExitCode.OK else code


async def forecast(settings: Settings, given: Input, *, as_json: bool) -> ExitCode:
    """Print what would become of the input."""
    with display(as_json=as_json) as shown:
        found = given.sources(settings.max_file_bytes, shown)
        async with connected(settings, shown) as remote:
            items = entries(found.sources, given.input_format)
            told = await forecasts.forecast(remote, given, items, settings.max_request_bytes)
            shown.clear()
    show.json(told) if as_json else forecasts.show(told)
    return forecasts.exit_code(told)


async def _results_or_id(
    remote: Remote, wanted: Wanted, course: Course, output: Output, shown: Display, *, as_json: bool
) -> ExitCode:
    """Of a batch that was just started the results, or if nobody waits its id."""
    batch_id = str(course.batch_id)
    if wanted.wait:
        return await collect(remote, batch_id, wanted, output, shown)
    shown.tell(f"Its results, when a server runs: {course.onward}")
    shown.clear()
    show.json(await remote.batch(batch_id)) if as_json else put(batch_id)
    return ExitCode.OK


async def results(settings: Settings, batch_id: str, wanted: Wanted, course: Course, *, as_json: bool) -> ExitCode:
    """Wait for a batch, unless told not to, and write its results."""
    with display(as_json=as_json) as shown, opened(wanted.path) as output:
        async with connected(settings, shown) as remote:
            await remote.batch(batch_id)
            course.batch_id, course.started = batch_id, True
            with course.explained(shown):
                return await collect(remote, batch_id, wanted, output, shown)


async def retry(
    settings: Settings, batch_id: str, codes: Sequence[str], wanted: Wanted, course: Course, *, as_json: bool
) -> ExitCode:
    """Retry what a batch has left without a result; wait for the new batch and write its results, or print its id."""

    def told(view: Json) -> str:
        return f"{view['total_urls']:,} items of {batch_id} again"

    path = f"/v1/batches/{batch_id}/retry"
    return await _made_of(settings, path, {"codes": list(codes)}, told, wanted, course, as_json=as_json)


async def apply(
    settings: Settings, batch_id: str, choices: dict[str, Any], wanted: Wanted, course: Course, *, as_json: bool
) -> ExitCode:
    """Read the stored pages of a batch in another way; wait for the new batch and write its results, or print its id."""

    def told(view: Json) -> str:
        without = f"; of {view['without_page']:,} no page is stored" if view["without_page"] else ""
        return f"{view['total_urls']:,} stored pages of {batch_id}{without}"

    path = f"/v1/batches/{batch_id}/apply"
    return await _made_of(settings, path, choices, told, wanted, course, as_json=as_json)


async def _made_of(
    settings: Settings,
    path: str,
    body: Json,
    told: Callable[[Json], str],
    wanted: Wanted,
    course: Course,
    *,
    as_json: bool,
) -> ExitCode:
    """Have a batch made of another, say what it is of, and go on with it as with any that was just started."""
    with display(as_json=as_json) as shown, opened(wanted.path if wanted.wait else None) as output:
        async with connected(settings, shown) as remote:
            with course.explained(shown):
                view = await remote.call("POST", path, data=body, key=secrets.token_hex(16))
                course.batch_id, course.started = view["id"], True
                shown.tell(f"{view['id']}: {told(view)}")
                return await _results_or_id(remote, wanted, course, output, shown, as_json=as_json)


async def explain(settings: Settings, item_id: str, *, as_json: bool) -> ExitCode:
    """Print what became of an item."""
    with display(as_json=as_json) as shown:
        async with connected(settings, shown) as remote:
            told = await remote.call("GET", f"/v1/items/{item_id}/explain")
    show.json(told) if as_json else show.explanation(told)
    return ExitCode.OK


async def status(settings: Settings, batch_id: str, *, watch: bool, as_json: bool) -> ExitCode:
    """Print the batch as it is, or as it is at its end."""
    with display(as_json=as_json) as shown:
        async with connected(settings, shown) as remote:
            view = await (until_done(remote, batch_id, shown) if watch else remote.batch(batch_id))
            shown.clear()
    show.json(view) if as_json else show.batch(view)
    return exit_code(view) if watch else ExitCode.OK


async def recent(settings: Settings, limit: int, *, as_json: bool) -> ExitCode:
    """Print the latest batches."""
    with display(as_json=as_json) as shown:
        async with connected(settings, shown) as remote:
            answer = await remote.call("GET", "/v1/batches/recent", params={"limit": limit})
    show.json(answer) if as_json else show.batches(answer["data"])
    return ExitCode.OK


async def cancel(settings: Settings, batch_id: str, *, as_json: bool) -> ExitCode:
    """Cancel the batch, and print it as it is then."""
    with display(as_json=as_json) as shown:
        async with connected(settings, shown) as remote:
            view = await remote.call("POST", f"/v1/batches/{batch_id}/cancel")
    show.json(view) if as_json else show.batch(view)
    return ExitCode.OK
