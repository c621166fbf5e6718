"""`results`, `status`, `list` and `cancel` against a server, as text and as JSON."""

import json

import pytest
from tests.acceptance.served import Served
from tests.cli.kit import Cli, until
from tests.support.origin import Origin

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def submitted(cli: Cli, *words: str) -> str:
    return (await cli.run("batch", *words, "--no-wait")).out.strip()


async def test_results_wait_and_keep_to_the_submitted_order(cli: Cli) -> None:
    given = ["http://a.example/slow/1/a", "http://b.example/page/b"]
    ended = await cli.run("results", await submitted(cli, *given))
    assert [row["url"] for row in ended.rows] == given
    assert ended.code == 0


async def test_results_can_be_narrowed_and_the_code_is_the_batchs(cli: Cli) -> None:
    batch = await submitted(cli, "http://a.example/page/a", "http://a.example/status/404/b")
    for status, expected in (("failed", 1), ("completed", 1), ("failed,completed", 2), ("cancelled", 0)):
        ended = await cli.run("results", batch, "--status", status)
        assert [row["status"] in status for row in ended.rows] == [True] * expected
        assert ended.code == 3


async def test_an_unfinished_batch_shows_what_is_finished_to_those_who_do_not_wait(cli: Cli, server: Served) -> None:
    batch = await submitted(cli, "http://b.example/hold/x", "http://a.example/page/a")
    await server.until_completed(batch, at_least=1)
    ended = await cli.run("results", batch, "--no-wait")
    assert [row["url"] for row in ended.rows] == ["http://a.example/page/a"]
    assert ended.code == 0
    assert "1 completed" in ended.err
    shown = await cli.run("status", batch)
    assert f"{batch}: running" in shown.out
    assert "2 items: 1 completed, 1 processing" in shown.out
    cancelled = await cli.run("cancel", batch)
    assert cancelled.code == 0
    watched = await cli.run("status", batch, "--watch", "--json")
    assert watched.code == 1
    view = json.loads(watched.out)
    assert (view["id"], view["outcome"]) == (batch, "cancelled")


async def test_watching_ends_with_the_batch_and_its_code(cli: Cli, origin: Origin) -> None:
    async with cli.running("status", await submitted(cli, "http://c.example/hold/w"), "--watch") as command:
        await until(lambda: origin.now["c.example"] == 1)
        origin.release.set()
        ended = await command.ended()
    origin.release.clear()
    assert ended.code == 0
    assert "all_ok" in ended.out


async def test_the_list_has_the_newest_first_and_is_for_programs_where_nobody_looks(cli: Cli) -> None:
    first, second = [await submitted(cli, "http://a.example/page/1", "--name", name) for name in ("one", "two\tx")]
    listed = await cli.run("list", "--limit", "2")
    head, *rows = [line.split("\t") for line in listed.out.splitlines()]
    assert head == ["batch", "state", "done", "total", "failed", "created", "name"]
    assert [(row[0], row[3], row[6]) for row in rows] == [(second, "1", r"two\tx"), (first, "1", "one")]
    data = json.loads((await cli.run("list", "--limit", "1", "--json")).out)["data"]
    assert [view["id"] for view in data] == [second]


async def test_an_open_batch_has_no_results_and_says_how_to_go_on(cli: Cli, server: Served) -> None:
    batch = (await server.http.post("/v1/batches", json={"open": True})).json()["id"]
    ended = await cli.run("results", batch)
    assert ended.code == 1
    assert f"--continue {batch}" in ended.err
    assert "open" in (await cli.run("status", batch)).out
    assert (await cli.run("cancel", batch)).code == 0
