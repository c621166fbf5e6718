"""`thresher batch` against a server: every kind of input, one line per item in submit order, and what is said where."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.served import Served
from tests.cli.kit import COMMAND, FIELDS, Cli, rows_of, shell
from tests.support.origin import Origin

pytestmark = pytest.mark.asyncio(loop_scope="session")


def urls(count: int, kind: str = "page", host: str = "site{}.example") -> list[str]:
    """Over several hosts, so that items do not finish in the order in which they were submitted."""
    return [f"http://{host.format(n % 7)}/{kind}/{n}" for n in range(count)]


async def test_three_hundred_items_come_out_in_the_order_in_which_they_went_in(cli: Cli) -> None:
    given = urls(300)
    ended = await cli.run("batch", cli.write("urls.txt", given), "-o", "out.jsonl")
    assert (ended.code, ended.out) == (0, ""), ended.err
    rows = rows_of(cli.folder / "out.jsonl")
    assert [row["url"] for row in rows] == given
    assert [list(row) for row in rows] == [FIELDS] * 300
    assert {(row["status"], row["http_status"], row["error"], row["attempts"]) for row in rows} == {
        ("completed", 200, None, 1)
    }
    assert all(f"# Page {n}\n" in row["markdown"] and row["title"] == f"Page {n}" for n, row in enumerate(rows))
    assert rows[8]["links"] == ["http://site1.example/", "http://site1.example/next/8"]
    assert len({row["retrieve_id"] for row in rows}) == len({row["custom_id"] for row in rows}) == 300
    assert "300 items: 300 completed" in ended.err
    assert [path.name for path in cli.folder.glob("out*")] == ["out.jsonl"]


async def test_standard_output_has_the_lines_and_nothing_else(cli: Cli) -> None:
    ended = await cli.run("batch", *urls(2), "http://site.example/status/404/x")
    assert [row["status"] for row in ended.rows] == ["completed", "completed", "failed"]
    assert ended.rows[2]["error"]["code"] == "http_4xx"
    assert set(ended.rows[2]["error"]) == {"code", "message", "retryable", "remedy"}
    assert (ended.rows[2]["markdown"], ended.rows[2]["links"], ended.rows[2]["title"]) == (None, None, None)
    assert ended.code == 3
    assert "2 completed, 1 failed" in ended.err
    assert "1 http_4xx" in ended.err


async def test_csv_and_jsonl_and_standard_input_carry_custom_ids_and_metadata(cli: Cli) -> None:
    cli.write("a.csv", ["custom_id,url", "first,http://a.example/page/1"])
    cli.write("b.jsonl", [json.dumps({"url": "http://b.example/page/2", "custom_id": 7, "metadata": {"k": "v"}})])
    ended = await cli.run("batch", "a.csv", "b.jsonl", "-", given="http://c.example/page/3\n")
    assert [(row["custom_id"], row["url"], row.get("metadata")) for row in ended.rows[:2]] == [
        ("first", "http://a.example/page/1", None),
        ("7", "http://b.example/page/2", {"k": "v"}),
    ]
    assert ended.rows[2]["url"] == "http://c.example/page/3"
    assert ["metadata" in row for row in ended.rows] == [False, True, False]


async def test_lines_of_results_can_be_items_again(cli: Cli) -> None:
    first = await cli.run("batch", "http://a.example/page/1", "http://a.example/status/404/x")
    failed = "".join(json.dumps(row) + "\n" for row in first.rows if row["status"] == "failed")
    again = await cli.run("batch", "-", given=failed)
    assert [row["custom_id"] for row in again.rows] == [first.rows[1]["custom_id"]]


async def test_formats_add_fields_between_the_contents_and_the_error(cli: Cli) -> None:
    ended = await cli.run("batch", "http://a.example/page/1", "--format", "json,html", "--format", "text")
    (row,) = ended.rows
    assert list(row) == [*FIELDS[:8], "html", "text", "json", *FIELDS[8:]]
    assert "<h1>Page 1</h1>" in row["html"]
    assert "Page 1" in row["text"]
    assert row["json"] is None
    alone = await cli.run("results", await some_batch(cli), "--format", "text,markdown")
    assert list(alone.rows[0]) == [*FIELDS[:8], "text", *FIELDS[8:]]


async def some_batch(cli: Cli, *more: str) -> str:
    """The id of a finished batch."""
    ended = await cli.run("batch", *(more or ("http://a.example/page/1",)), "--no-wait")
    assert ended.code == 0, ended.err
    await cli.run("results", ended.out.strip(), "-o", "/dev/null")
    return ended.out.strip()


async def test_a_parser_adds_its_json_to_each_line_and_the_list_of_parsers_says_which_there_are(cli: Cli) -> None:
    listed = await cli.run("parsers")
    rows = listed.out.splitlines()
    assert "@thresher/emails\t1\tThe e-mail addresses of a page\t@olostep/extract-emails\tbuilt in" in rows
    assert "@acme/headings\t2\tThe headings of a page\t\tacme-barn 1.2" in rows
    ended = await cli.run("batch", *urls(1), "--parser", "@thresher/links")
    (row,) = ended.rows
    assert [link["text"] for link in json.loads(row["json"])["links"]] == ["Home", "Next"]
    assert "The parser matched 1 of 1 pages." in ended.err


async def test_headers_come_from_flags_and_files_and_items_in_lines_choose_for_themselves(
    cli: Cli, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "headers.txt").write_text("X-File:  from: a file \n\nX-Empty:\n")
    given = {
        "url": "http://own.example/page/1",
        "headers": {"X-Own": "1"},
        "parser": "@thresher/links",
        "title": "left out",
    }
    lines = f'{json.dumps(given)}\n{{"url": "http://own.example/page/2"}}\n'
    words = (
        "--header",
        f"@{tmp_path / 'headers.txt'}",
        "--header",
        "X-Flag: y",
        "--content",
        "main",
        "--format",
        "json",
    )
    ended = await cli.run("batch", "-", *words, given=lines)
    assert ended.code == 0, ended.err
    assert [(row["main_content"], row["json"] is None) for row in ended.rows] == [(False, False), (False, True)]
    names = ("X-Own", "X-Flag", "X-File", "X-Empty")
    sent = {path: tuple(map(heard.get, names)) for host, path, heard in origin.headers if host == "own.example"}
    assert sent == {
        "/robots.txt": (None,) * 4,
        "/page/1": ("1", None, None, None),
        "/page/2": (None, "y", "from: a file", ""),
    }


async def test_a_parser_of_an_installed_package_reads_a_batch_and_how_well_it_fits_is_told(cli: Cli) -> None:
    given = ("http://a.example/page/x", "http://a.example/page/nothing")
    batch = (await cli.run("batch", *given, "--parser", "@acme/whims", "--no-wait")).out.strip()
    shown = await cli.run("status", batch, "--watch")
    assert "  The parser matched 1 of 2 pages." in shown.out.splitlines()
    read, unread = (await cli.run("results", batch, "--format", "json")).rows
    assert json.loads(read["json"]) == {"url": given[0], "nul": False}
    assert unread["error"]["code"] == "parser_no_match"


async def test_redirects_show_where_they_led_and_a_country_whether_it_was_asked_from(cli: Cli) -> None:
    (row,) = (await cli.run("batch", "http://a.example/redirect/2/x", "--country", "de")).rows
    assert (row["url"], row["final_url"]) == ("http://a.example/redirect/2/x", "http://a.example/page/x")
    assert (row["country"], row["country_applied"]) == ("DE", False)


async def test_name_metadata_and_country_are_kept_with_the_batch(cli: Cli) -> None:
    words = ("--name", "nightly", "--metadata", "team=data=x", "--country", "de", "--no-wait", "--json")
    ended = await cli.run("batch", "http://a.example/page/1", *words)
    view = json.loads(ended.out)
    assert view["metadata"] == {"name": "nightly", "team": "data=x"}
    assert view["country"] == "DE"


async def test_an_id_is_all_that_is_printed_when_nobody_waits(cli: Cli, server: Served) -> None:
    ended = await cli.run("batch", "http://a.example/page/1", "--no-wait")
    assert ended.code == 0
    assert ended.out.startswith("batch_")
    assert ended.out.count("\n") == 1
    assert f"thresher results {ended.out.strip()}" in ended.err
    await server.until_completed(ended.out.strip())


async def test_a_stream_has_every_line_once_in_the_order_in_which_they_finish(cli: Cli) -> None:
    given = ["http://slow.example/slow/1.5/s", *urls(20)]
    ended = await cli.run("batch", *given, "--stream")
    assert ended.code == 0, ended.err
    assert ended.rows[-1]["url"] == given[0]
    assert sorted(row["url"] for row in ended.rows) == sorted(given)


async def test_under_json_all_that_is_said_is_json(cli: Cli) -> None:
    ended = await cli.run("batch", *urls(3), "http://a.example/status/404/x", "--json")
    events: list[dict[str, Any]] = [json.loads(line) for line in ended.err.splitlines()]
    assert {event["event"] for event in events} <= {"note", "progress", "end"}
    assert events[-1] | {"event": "end", "exit_code": 3, "lines": 4, "outcome": "partial"} == events[-1]
    assert events[-1]["counts"]["completed"] == 3
    assert len(ended.rows) == 4
    refused = await cli.run("results", "batch_unknown", "--json")
    assert json.loads(refused.err)["error"]["exit_code"] == refused.code == 5


async def test_an_existing_file_is_replaced_as_a_whole_and_only_at_the_end(cli: Cli) -> None:
    out = cli.folder / "out.jsonl"
    out.write_text("before\n")
    out.chmod(0o640)
    (cli.folder / "link.jsonl").symlink_to(out)
    assert (await cli.run("batch", "nothing.txt", "-o", "link.jsonl")).code == 2
    assert out.read_text() == "before\n"
    assert (await cli.run("batch", *urls(2), "-o", "link.jsonl")).code == 0
    assert len(rows_of(out)) == 2
    assert (cli.folder / "link.jsonl").is_symlink()
    assert out.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in cli.folder.iterdir()) == ["link.jsonl", "out.jsonl"]


async def test_a_reader_that_has_enough_is_no_error_to_speak_of(cli: Cli) -> None:
    batch = await some_batch(cli, *urls(50))
    async with cli.running("results", batch) as command:
        assert command.process.stdout is not None
        command.process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        assert command.process.stderr is not None
        said = (await command.process.stderr.read()).decode()
        assert await command.process.wait() == 141
    assert "Error" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("umask", "mode"), [("022", 0o644), ("027", 0o640), ("077", 0o600)])
async def test_a_new_file_of_results_is_as_open_as_the_users_other_files(cli: Cli, umask: str, mode: int) -> None:
    line = shlex.join([*COMMAND, "batch", *urls(1), "-o", "out.jsonl"])
    ended = await shell(cli, f"umask {umask}; exec {line}")
    assert ended.code == 0, ended.err
    assert (cli.folder / "out.jsonl").stat().st_mode & 0o777 == mode


async def test_a_dash_is_standard_output(cli: Cli) -> None:
    ended = await cli.run("batch", *urls(1), "-o", "-")
    assert [row["url"] for row in ended.rows] == urls(1)
    assert list(cli.folder.iterdir()) == []
