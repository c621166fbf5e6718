"""Batches on standard output: rows or sentences for a person, the API's JSON for a program."""

import sys
from collections.abc import Sequence
from datetime import datetime

import orjson

from thresher.cli import table
from thresher.cli.client.collect import sentence
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


def parsers(views: Sequence[Json]) -> None:
    """A row each, with the other ids at the end."""
    rows = [(view["id"], str(view["credits"]), view["title"], ", ".join(view["aliases"])) for view in views]
    table.write(rows, ("parser", "credits", "what it reads", "also"))


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
