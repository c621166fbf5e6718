"""What each exit code stands for, and that nothing is left behind by what was refused."""

import asyncio
import shlex

import pytest
from tests.acceptance.served import Served
from tests.cli.kit import COMMAND, Cli, shell
from tests.support.origin import Origin

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "http://a.example/page/1"


async def newest(server: Served) -> tuple[str | None, str | None]:
    """The id and the outcome of the server's latest batch."""
    data = (await server.http.get("/v1/batches/recent", params={"limit": 1})).json()["data"]
    return (data[0]["id"], data[0]["outcome"]) if data else (None, None)


async def test_a_line_that_the_server_refuses_is_named_and_nothing_is_submitted(cli: Cli, server: Served) -> None:
    before, _ = await newest(server)
    cli.write("urls.txt", ["# mine", PAGE, "", "http://a.example:99999/"])
    ended = await cli.run("batch", "urls.txt", "-o", "out.jsonl")
    assert ended.code == 2
    assert "urls.txt line 4" in ended.err
    assert "Nothing was submitted." in ended.err
    assert "To go on" not in ended.err
    assert list(cli.folder.glob("out*")) == []
    batch, outcome = await newest(server)
    assert batch != before
    assert outcome == "cancelled"


async def test_a_custom_id_for_two_urls_is_refused_before_anything_starts(cli: Cli, server: Served) -> None:
    before, _ = await newest(server)
    cli.write("urls.csv", ["custom_id,url", "x,http://a.example/page/1", "x,http://a.example/page/2"])
    ended = await cli.run("batch", "urls.csv")
    assert ended.code == 2
    assert "custom_id" in ended.err
    batch, outcome = await newest(server)
    assert batch != before
    assert outcome == "cancelled"


@pytest.mark.parametrize(
    "words",
    [
        ("batch",),
        ("batch", "none.txt"),
        ("batch", "empty.txt"),
        ("batch", PAGE, "--format", "pdf"),
        ("batch", PAGE, "--country", "Atlantis"),
        ("batch", PAGE, "--timeout", "-1"),
        ("results", "batch_x", "--status", "lost"),
        ("list", "--limit", "0"),
    ],
    ids=" ".join,
)
async def test_what_makes_no_sense_is_code_2(cli: Cli, words: tuple[str, ...]) -> None:
    cli.write("empty.txt", ["# nothing"])
    ended = await cli.run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err
    assert "Traceback" not in ended.err


async def test_output_that_cannot_be_written_is_found_before_anything_is_submitted(cli: Cli, server: Served) -> None:
    before = await newest(server)
    for path in (".", "no/such/folder.jsonl"):
        ended = await cli.run("batch", PAGE, "-o", path)
        assert ended.code == 1
        assert f"{path} cannot be written" in ended.err
    assert await newest(server) == before


async def test_a_key_that_is_refused_is_code_4(cli: Cli) -> None:
    for words in (("batch", PAGE), ("results", "batch_x")):
        ended = await cli.run(*words, THRESHER_API_KEY="thr_wrong")
        assert (ended.code, ended.out) == (4, "")
    assert (await cli.run("list", THRESHER_API_KEY="")).code == 4
    broken = await cli.run("list", THRESHER_API_KEY="thr_a\nb")
    assert (broken.code, "THRESHER_API_KEY is no key" in broken.err, "Traceback" in broken.err) == (4, True, False)


async def test_a_batch_that_is_not_there_is_code_5(cli: Cli) -> None:
    for words in (("results",), ("status", "--watch"), ("cancel",), ("batch", PAGE, "--continue")):
        ended = await cli.run(*words, "batch_unknown")
        assert (ended.code, ended.out) == (5, ""), ended.err


@pytest.mark.parametrize(
    "words",
    [
        ("results", "recent"),
        ("status", "../../healthz"),
        ("cancel", "batch_x/items"),
        ("batch", PAGE, "--continue", ""),
    ],
)
async def test_what_is_no_id_is_code_5_and_no_path_of_the_server(cli: Cli, words: tuple[str, ...]) -> None:
    ended = await cli.run(*words)
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith(f"thresher: there is no batch {words[-1]!r}: ")


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("version",), ("doctor",)])
async def test_a_full_disk_under_standard_output_is_a_sentence_and_code_1(cli: Cli, words: tuple[str, ...]) -> None:
    await cli.run("batch", PAGE, "--no-wait")
    ended = await shell(cli, f"exec {shlex.join([*COMMAND, *words])} > /dev/full")
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("words", [("version",), ("list", "--json")])
async def test_a_reader_that_is_gone_is_code_141_for_every_command(cli: Cli, words: tuple[str, ...]) -> None:
    ended = await shell(cli, f"({shlex.join([*COMMAND, *words])}; echo $? >&2) | :")
    assert ended.err == "141\n"


async def test_a_name_that_is_not_text_is_code_2(cli: Cli) -> None:
    ended = await cli.run("batch", PAGE, "--name", "\udcff")
    assert ended.code == 2
    assert "is not UTF-8" in ended.err


async def test_an_address_that_no_server_can_have_is_code_2(cli: Cli) -> None:
    for url in ("http://", "http://127.0.0.1:99999", "http://me:secret@127.0.0.1:8080"):
        ended = await cli.run("list", THRESHER_URL=url)
        assert ended.code == 2
        assert "THRESHER_URL" in ended.err
        assert "secret" not in ended.err


async def test_a_server_that_does_not_speak_http_is_code_1(cli: Cli) -> None:
    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-hello\r\n")
        writer.close()

    async with await asyncio.start_server(hello, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        ended = await cli.run("list", THRESHER_URL=f"http://127.0.0.1:{port}")
    assert ended.code == 1
    assert f"http://127.0.0.1:{port} does not speak HTTP" in ended.err


async def test_a_batch_that_its_deadline_ended_is_code_6_with_what_there_is(cli: Cli, origin: Origin) -> None:
    ended = await cli.run("batch", PAGE, "http://b.example/hold/x", "--timeout", "2")
    assert ended.code == 6, ended.err
    assert [(row["status"], (row["error"] or {}).get("code")) for row in ended.rows] == [
        ("completed", None),
        ("failed", "deadline"),
    ]
    assert "The deadline has ended it." in ended.err


async def test_a_batch_that_was_cancelled_elsewhere_is_code_1_with_what_there_is(cli: Cli, server: Served) -> None:
    async with cli.running("batch", "http://b.example/hold/x", "--name", "held") as command:
        batch = (await command.said(": 1 items")).partition(":")[0]
        assert (await cli.run("cancel", batch)).code == 0
        ended = await command.ended()
    assert ended.code == 1
    assert [row["status"] for row in ended.rows] == ["cancelled"]
    assert "It was cancelled." in ended.err


async def test_a_server_that_is_none_or_is_no_thresher_is_code_1(cli: Cli, origin: Origin) -> None:
    gone = await cli.run("list", THRESHER_URL="http://127.0.0.1:9", THRESHER_CLIENT_PATIENCE="0.5")
    assert gone.code == 1
    assert "http://127.0.0.1:9 does not answer" in gone.err
    other = await cli.run("list", THRESHER_URL=f"http://127.0.0.1:{origin.port}")
    assert other.code == 1
    assert "does not answer like a Thresher" in other.err
