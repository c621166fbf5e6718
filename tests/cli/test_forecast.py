"""`thresher batch --dry-run`: what it says to people and to programs, and that nothing is submitted."""

import json
import re
import shlex
from pathlib import Path

import pytest
from tests.acceptance.served import KEY, Served
from tests.cli.kit import COMMAND, Cli, shell

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOCS = Path(__file__).parents[2] / "docs"


def block(page: str, word: str) -> str:
    """The fenced block of a page that has the word."""
    (found,) = re.findall(rf"^```sh\n([^`]*{word}[^`]*)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    return str(found)


async def _newest(server: Served) -> str:
    """The id of the batch that was made last: those of other tests may still run."""
    found = (await server.http.get("/v1/batches/recent?limit=1")).json()["data"]
    return str(found[0]["id"]) if found else ""


async def test_a_dry_run_says_what_is_wrong_by_file_and_line_and_submits_nothing(cli: Cli, server: Served) -> None:
    newest = await _newest(server)
    given = ["# urls", "http://a.example/page/1", "http://a.example/page/1", "a.example", "", "https://10.0.0.1/\x1b"]
    told = await cli.run("batch", cli.write("urls.txt", given), "--dry-run", "--timeout", "60")
    assert (told.code, told.err) == (2, "")
    lines = told.out.splitlines()
    assert lines[:6] == [
        "Items: 4, different URLs: 2, hosts: 2",
        "Duplicates: 1",
        "Refused: 1. Nothing is submitted until they are mended.",
        "  urls.txt line 4: not a valid absolute URL",
        "Will fail: 1 (1 blocked_address)",
        "  urls.txt line 6: 10.0.0.1 is not on the public internet (THRESHER_FETCH_ALLOW)",
    ]
    assert "Credits: 3 at most, of any number available" in lines
    assert "a.example\t2\t1\t-\t-" in lines
    found = json.loads((await cli.run("batch", "urls.txt", "--dry-run", "--json")).out)
    assert [(one["index"], one["place"]) for one in (*found["refused"], *found["failing"])] == [
        (2, "urls.txt line 4"),
        (3, "urls.txt line 6"),
    ]
    large = await cli.run(
        "batch", "-", "--dry-run", given="http://a.example/\n" * 100, THRESHER_MAX_REQUEST_BYTES="1024"
    )
    assert large.code == 2
    assert "more than 1024 bytes (THRESHER_MAX_REQUEST_BYTES)" in large.err
    assert await _newest(server) == newest


async def test_the_examples_of_a_forecast_work_as_they_stand(cli: Cli, server: Served) -> None:
    cli.write("urls.txt", ["http://forecast.example/page/1"])
    both = await shell(cli, block("cli.md", "--dry-run").replace("thresher", shlex.join(COMMAND)))
    assert both.code == 0, both.err
    assert "Items: 1, different URLs: 1, hosts: 1" in both.out
    assert "Duration: " in both.out
    assert len((cli.folder / "out.jsonl").read_text().splitlines()) == 1
    curl = block("api.md", "dry_run").replace("http://127.0.0.1:8080", server.url)
    told = json.loads((await shell(cli, curl, KEY=KEY)).out)
    assert (told["counts"]["refused"], told["failing_by_code"]) == (1, {"blocked_address": 1})
