"""`diff` against a server, as docs/changes.md has it."""

import asyncio
import re
from pathlib import Path

import pytest
from tests.acceptance.served import Served
from tests.cli.kit import COMMAND, Cli, rows_of, shell

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = Path(__file__).parents[2] / "docs" / "changes.md"


async def test_the_commands_of_the_page_say_what_has_changed_and_the_code_can_say_whether(
    cli: Cli, server: Served
) -> None:
    """The list is another one the second time: as if what is behind its custom_ids had changed."""
    [block] = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    for name, pages in (("1", ("a,same", "b,old", "d,away")), ("2", ("a,same", "b,new", "c,more"))):
        rows = [f"http://a.example/page/{word},{key}" for key, word in (page.split(",") for page in pages)]
        cli.write(f"{name}.csv", ["url,custom_id", *rows])
    first, second = block.split("now=", 1)
    script = f"cp 1.csv pages.csv\n{first}cp 2.csv pages.csv\nnow={second}echo $now $before"
    ended = await shell(cli, f'set -e; thresher() {{ {" ".join(COMMAND)} "$@"; }}\n{script}')
    assert ended.code == 0, ended.err
    assert "4 items: 1 new, 1 changed, 1 same, 1 gone." in ended.err
    rows = rows_of(cli.folder / "changes.jsonl")
    assert [(row["custom_id"], row["status"]) for row in rows] == [("b", "changed"), ("c", "new"), ("d", "gone")]
    assert "\n-# Page old\n+# Page new\n" in rows[0]["diff"]
    now, before = ended.out.split()[-2:]
    async with asyncio.timeout(30):
        while (counts := (await server.info(now))["changes"]) is None:
            await asyncio.sleep(0.02)
    assert {status: count for status, count in counts.items() if count} == dict.fromkeys(
        ("new", "changed", "same", "gone"), 1
    )

    told = await cli.run("diff", now, before, "--status", "same,gone", "--exit-code", "--json")
    assert (told.code, [row["status"] for row in told.rows]) == (7, ["same", "gone"])
    nothing = await cli.run("diff", now, now, "--exit-code")
    assert (nothing.code, nothing.out) == (0, "")
