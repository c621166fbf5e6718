"""`thresher diff`: what has changed between two batches, as lines, as rows for a person, and in a sentence."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from thresher.cli.client.output import Output, opened
from thresher.cli.client.progress import Display, Step, display
from thresher.cli.client.remote import Json, Remote
from thresher.cli.client.session import connected
from thresher.cli.errors import ExitCode
from thresher.cli.terminal import harmless
from thresher.domain.change import NO_NEWS, Change, is_news
from thresher.settings import Settings

NEWS = [change for change in Change if change not in NO_NEWS]
PAGE = 1000  # entries that are asked for at a time; the server gives fewer


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to compare, and what to say of it. `path` None is standard output."""

    now: str
    before: str
    statuses: Sequence[str]
    text: bool
    merged: bool
    path: Path | None


async def diff(settings: Settings, wanted: Comparison, *, exit_code: bool, as_json: bool) -> ExitCode:
    """Write the entries. With `exit_code` the code says whether anything is different."""
    with display(as_json=as_json) as shown, opened(wanted.path) as output:
        async with connected(settings, shown) as remote:
            counts = await _write(remote, wanted, output, shown, as_json=as_json)
        output.keep()
        shown.end(sentence(counts), {"changes": counts})
    return ExitCode.DIFFERENT if exit_code and is_news(counts) else ExitCode.OK


def sentence(counts: dict[str, int]) -> str:
    """How many items became what, for a person."""
    said = ", ".join(f"{counts[change]:,} {change}" for change in Change if counts[change])
    return f"{sum(counts.values()):,} items: {said or 'nothing to compare'}."


async def _write(
    remote: Remote, wanted: Comparison, output: Output, shown: Display, *, as_json: bool
) -> dict[str, int]:
    """Write every entry that is wanted; how many there are of each kind."""
    counts: dict[str, int] = {}
    written = 0
    if output.is_terminal:
        shown.clear()
    async for page in _pages(remote, wanted):
        counts = page.get("counts", counts)
        write = row if output.is_terminal and not as_json else _line
        await output.write(b"".join(map(write, page["data"])))
        written += len(page["data"])
        if not output.is_terminal:
            shown.step(Step("Comparing", written, max(written, sum(counts[status] for status in wanted.statuses))))
    return counts


async def _pages(remote: Remote, wanted: Comparison) -> AsyncIterator[Json]:
    query = {"with": wanted.before, "status": ",".join(wanted.statuses), "limit": str(PAGE)}
    query |= {"text": "true"} if wanted.text else {}
    query |= {"lineage": "merged"} if wanted.merged else {}
    cursor: int | None = 0
    while cursor is not None:
        page = await remote.call("GET", f"/v1/batches/{wanted.now}/diff", params=query | {"cursor": str(cursor)})
        yield page
        cursor = page.get("cursor")


def _line(entry: Json) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def row(entry: Json) -> bytes:
    """An entry on a terminal, and under it what is different in its text."""
    url = (entry["now"] or entry["before"])["url"]
    below = (entry.get("diff") or "").splitlines()[2:]  # which texts they are is said above
    below += [f"({entry['diff_error']})"] if "diff_error" in entry else []
    lines = [f"{entry['status']:<9} {entry['custom_id']}  {url}", *(f"    {line}" for line in below)]
    return "".join(f"{harmless(line)}\n" for line in lines).encode()
