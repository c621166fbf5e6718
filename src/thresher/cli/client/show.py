"""Batches on standard output: rows or sentences for a person, the API's JSON for a program."""

import sys
from collections.abc import Sequence
from datetime import datetime

import orjson

from thresher.cli import table
from thresher.cli.client.collect import parsing, sentence
from thresher.cli.client.compare import sentence as changes
from thresher.cli.client.follow import finished, unsuccessful
from thresher.cli.client.remote import Json
from thresher.cli.terminal import harmless, harmless_json, put

COLUMNS = ("batch", "state", "done", "total", "failed", "created", "name")


def json(value: Json) -> None:
    """An answer of the API as it is."""
    put(harmless_json(orjson.dumps(value, option=orjson.OPT_INDENT_2)).decode())


def batch(view: Json) -> None:
    """One batch, in lines."""
    name = view["metadata"].get("name")
    put(f"{view['id']}{f' ({harmless(name)})' if name else ''}: {_state(view)}")
    put(f"  {sentence(view)}")
    if told := parsing(view):
        put(f"  {told}")
    if view.get("changes"):
        put(f"  since {view['compare_with']}: {changes(view['changes'])}")
    if "finished_at" in view:
        put(f"  created {_time(view['created'])}, finished {_time(view['finished_at'])}")
    else:
        put(f"  created {_time(view['created'])}, ends by {_time(view['deadline'])} at the latest")


def batches(views: Sequence[Json]) -> None:
    """Many batches, a row each."""
    if views:
        table.write([_row(view) for view in views], COLUMNS)
    else:
        print("There are no batches. `thresher batch` makes one.", file=sys.stderr)


def explanation(told: Json) -> None:
    """What became of an item: its state, its steps with the seconds since the first one, what can be done."""
    state = ", ".join(filter(None, (told["status"], told["code"])))
    put(f"{told['id']} ({harmless(told['custom_id'])}): {state}")
    put(f"  {harmless(told['url'])}")
    steps = told["timeline"]
    begun = datetime.fromisoformat(steps[0]["at"])
    put(f"  of {told['batch_id']}, from {begun.astimezone():%Y-%m-%d %H:%M:%S} on:")
    for step in steps:
        since = (datetime.fromisoformat(step["at"]) - begun).total_seconds()
        took = "" if step["ms"] is None else _took(step["ms"])
        number = f"#{step['attempt']}" if "attempt" in step else ""
        put(f"  {since:10.3f} s {took:>10} {number:>4} {step['what']:<10} {harmless(step['text'])}")
    if told["waiting_for"]:
        put(f"  Now: {harmless(told['waiting_for']['text'])}")
    if told["remedy"]:
        put(f"  What to do: {harmless(told['remedy'])}")


def _took(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.1f} ms"


def _row(view: Json) -> tuple[str, ...]:
    counts = view["counts"]
    numbers = (finished(counts), counts["total"], unsuccessful(counts))
    name = view["metadata"].get("name", "")
    return (
        view["id"],
        _state(view),
        *(str(number) for number in numbers),
        _time(view["created"]),
        name,
    )


def _state(view: Json) -> str:
    return str(view["outcome"] or view["state"])


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
