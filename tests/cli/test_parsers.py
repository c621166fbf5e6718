"""Parsers of one's own from the command line: the example of docs/own-parsers.md as it stands, and what goes wrong."""

import json
import re
import shlex
from pathlib import Path

import pytest
from tests.cli.kit import Cli, rows_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

GUIDE = Path(__file__).parents[2] / "docs" / "own-parsers.md"
LAMP = '{"fields": {"name": {"css": "h1", "required": true}}}'


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


async def test_the_example_of_the_guide_works_as_it_stands(cli: Cli) -> None:
    (html,), (definition, made), (told,), (trial, use) = map(blocks, ("html", "json", "text", "sh"))
    cli.write("lamp.html", [html])
    cli.write("lamp.json", [definition])
    cli.write("urls.txt", ["http://shop.example/page/1", "http://shop.example/status/404/x"])

    tried = await cli.run(*shlex.split(trial)[1:])
    assert (tried.code, tried.out, tried.err) == (0, made, told)
    put, batch = (shlex.split(line)[1:] for line in use.splitlines())
    assert (await cli.run(*put)).err == "my-lamps@1 is new.\n"
    ended = await cli.run(*batch)
    assert ended.code == 3
    assert "The parser matched 1 of 1 pages." in ended.err
    page, _ = rows_of(cli.folder / "lamps.jsonl")
    assert json.loads(page["json"])["name"] == "Page 1"


async def test_a_parser_is_shown_tried_on_a_url_changed_and_retired(cli: Cli) -> None:
    cli.write("lamp.json", [LAMP])
    await cli.run("parsers", "put", "@acme/lamp", "lamp.json")
    changed = await cli.run("parsers", "put", "@acme/lamp", "-", "--json", given='{"fields": {"name": "h2"}}')
    assert (json.loads(changed.out)["version"], json.loads(changed.out)["changed"]) == (2, True)
    shown = await cli.run("parsers", "show", "@acme/lamp@1")
    assert (json.loads(shown.out), shown.err) == (json.loads(LAMP), "@acme/lamp@1, versions 2, 1\n")
    assert "@acme/lamp@2\t1\tA parser of your own\t\tyours" in (await cli.run("parsers")).out.splitlines()

    good = await cli.run("parsers", "try", "@acme/lamp@1", "--url", "http://shop.example/page/7")
    assert (good.code, json.loads(good.out)) == (0, {"name": "Page 7"})
    (cli.folder / "poor.html").write_text("<h1>Page 7", "utf-8")
    poor = await cli.run("parsers", "try", "@acme/lamp", "--html", "poor.html")
    assert (poor.code, poor.out) == (3, "")
    assert poor.err == "--  name  nothing matches h2\nparser_no_match: No field has a value on this page: name\n"
    gone = await cli.run("parsers", "try", "@acme/lamp", "--url", "http://shop.example/status/404/x", "--json")
    assert (gone.code, json.loads(gone.out)["error"]["code"]) == (3, "http_4xx")

    assert (await cli.run("parsers", "retire", "@acme/lamp")).err == "@acme/lamp is retired (version 1, 2).\n"


async def test_what_is_wrong_with_a_definition_or_a_command_is_said(cli: Cli) -> None:
    cli.write("bad.json", ['{"fields": {"price": {"css": ".price["}}}'])
    bad = await cli.run("parsers", "put", "my-shop", "bad.json")
    assert bad.code == 2
    assert "fields.price.css: '.price[' is no CSS selector" in bad.err
    cli.write("odd.json", ["[1"])
    for words, said in (
        (("put", "my-shop", "odd.json"), "odd.json is not valid JSON"),
        (("try", "odd"), "a page is needed"),
    ):
        ended = await cli.run("parsers", *words)
        assert (ended.code, said in ended.err) == (2, True), ended.err
