"""The parser commands, each from its options to its exit code."""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from thresher.cli import table
from thresher.cli.client import show as shows
from thresher.cli.client.progress import display
from thresher.cli.client.remote import Json
from thresher.cli.client.session import connected
from thresher.cli.client.sources import STDIN
from thresher.cli.errors import CommandError, ExitCode
from thresher.cli.terminal import harmless
from thresher.settings import Settings

MOST = 32 * 2**20  # bytes of a page


async def listing(settings: Settings, *, as_json: bool) -> ExitCode:
    """Print the parsers that the server has."""
    answer = await _call(settings, "GET", "/v1/parsers")
    if as_json:
        shows.json(answer)
    else:
        table.write([_cells(one) for one in answer["data"]], ("parser", "credits", "what it reads", "also", "from"))
    return ExitCode.OK


async def show(settings: Settings, parser_id: str, *, as_json: bool) -> ExitCode:
    """Print a parser's definition; of one that is built in the schema."""
    found = await _call(settings, "GET", _path(parser_id))
    if as_json:
        shows.json(found)
    else:
        shows.json(found.get("definition") or found["output_schema"])
        versions = ", ".join(str(one["version"]) for one in found.get("versions", ()))
        print(f"{_name(found)}{f', versions {versions}' if versions else ''}", file=sys.stderr)
    return ExitCode.OK


async def put(settings: Settings, name: str, file: str, *, as_json: bool) -> ExitCode:
    """Make a version of a parser of the file's definition."""
    made = await _call(settings, "PUT", _path(name), _definition(file))
    if as_json:
        shows.json(made)
    else:
        print(f"{_name(made)} is {'new' if made['changed'] else 'the same as before'}.", file=sys.stderr)
    return ExitCode.OK


async def retire(settings: Settings, parser_id: str, *, as_json: bool) -> ExitCode:
    """Retire a parser."""
    done = await _call(settings, "DELETE", _path(parser_id))
    if as_json:
        shows.json(done)
    else:
        versions = ", ".join(map(str, done["versions"]))
        print(f"{harmless(parser_id)} is retired (version {versions}).", file=sys.stderr)
    return ExitCode.OK


async def try_parser(settings: Settings, parser: str, html: str | None, url: str | None, *, as_json: bool) -> ExitCode:
    """Try a definition or a parser, and print what came of it."""
    if html is None and url is None:
        raise CommandError("a page is needed to try a parser on: --html FILE or --url URL.", ExitCode.USAGE)
    if parser == html == STDIN:
        raise CommandError("the definition and the page cannot both come from standard input.", ExitCode.USAGE)
    wanted: Json = {"definition": _definition(parser)} if _is_file(parser) else {"parser": parser}
    wanted |= {"html": _read(html).decode("utf-8", "replace")} if html is not None else {}
    wanted |= {"url": url} if url is not None else {}
    tried = await _call(settings, "POST", "/v1/parsers/dry-run", wanted)
    if as_json:
        shows.json(tried)
    else:
        _report(tried)
    return ExitCode.OK if tried["ok"] else ExitCode.ITEMS_FAILED


def _report(tried: Json) -> None:
    """The result for whoever reads standard output, and beside it for a person what became of each field."""
    if tried["ok"]:
        shows.json(tried["data"])
    rows = [_row(match) for match in tried["matches"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=sys.stderr)
    if error := tried["error"]:
        print(f"{error['code']}: {harmless(error['message'])}", file=sys.stderr)


def _row(match: Json) -> tuple[str, str, str]:
    if match["values"]:
        values = f"{match['values']} value{'s' if match['values'] > 1 else ''}"
        told = f"{values} of {match['matched']} matched by {match['selector'] or 'the element itself'}"
    else:
        told = str(match["reason"] or "not looked for")
    return "ok" if match["values"] else "--", harmless(match["field"]), harmless(told)


async def _call(settings: Settings, method: str, path: str, data: Json | None = None) -> Json:
    with display(as_json=False) as shown:
        async with connected(settings, shown) as remote:
            return await remote.call(method, path, data=data)


def _cells(view: Json) -> tuple[str, ...]:
    """A row of the list: a parser, with its other ids, and whose it is."""
    whose = view["package"] or {"built_in": "built in", "account": "yours"}[view["source"]]
    return _name(view), str(view["credits"]), view["title"], ", ".join(view["aliases"]), whose


def _path(parser_id: str) -> str:
    return f"/v1/parsers/{quote(parser_id, safe='')}"


def _name(view: Json) -> str:
    return harmless(f"{view['id']}@{view['version']}" if "version" in view else view["id"])


def _is_file(text: str) -> bool:
    return text == STDIN or text.lower().endswith(".json") or Path(text).is_file()


def _definition(file: str) -> Json:
    try:
        value: Any = orjson.loads(_read(file))
    except ValueError as error:
        raise CommandError(f"{file} is not valid JSON: {error}", ExitCode.USAGE) from None
    if not isinstance(value, dict):
        raise CommandError(f"{file} is no definition of a parser, which is a JSON object.", ExitCode.USAGE)
    return value


def _read(file: str) -> bytes:
    try:
        data = sys.stdin.buffer.read(MOST + 1) if file == STDIN else _content(Path(file))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {os.strerror(error.errno or 0)}", ExitCode.USAGE) from None
    if len(data) > MOST:
        raise CommandError(f"{file} has more than {MOST} bytes, the limit.", ExitCode.USAGE)
    return data


def _content(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(MOST + 1)
