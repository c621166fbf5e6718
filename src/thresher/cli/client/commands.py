"""The commands that work with batches: their flags, and which module does them. They run against any server."""

import os
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from thresher.cli import signals
from thresher.cli.client.headers import read_headers
from thresher.cli.client.inputs import InputFormat
from thresher.cli.client.words import DEFAULT_FORMATS, MORE_FORMATS, STATUSES, chosen, fields_of
from thresher.cli.errors import ExitCode, expected_errors, fail, load_settings
from thresher.cli.options import DataDirectory, Json
from thresher.domain import ids
from thresher.domain.change import Change
from thresher.domain.choices import Content, OnBlocked, RobotsMode
from thresher.domain.failure import FailureCode

if TYPE_CHECKING:
    from thresher.settings import Settings

commands = typer.Typer()

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id: batch_..., or bjb-... of a batch job.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="File to write to. Standard output unless given, and for -.",
        callback=lambda path: None if path == Path("-") else path,
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Add html, text, json or pages to markdown and links. With commas, or repeated.",
    ),
]
Stream = Annotated[bool, typer.Option("--stream", help="Write lines as items finish, in that order.")]


@commands.command(
    epilog="Examples: thresher batch urls.txt -o out.jsonl   |   thresher batch *.pdf reports/ -o out.jsonl"
    "   |   thresher batch https://example.com/"
)
def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Lists of URLs (.txt, .csv, .jsonl, - for standard input), URLs, documents (.pdf, .docx, ...), folders of them.",
        ),
    ],
    output: Out = None,
    formats: Formats = None,
    input_format: Annotated[
        InputFormat | None, typer.Option(help="How to read lists, whatever their names and first lines say.")
    ] = None,
    as_files: Annotated[
        bool | None,
        typer.Option(
            "--files/--list", help="What files are, whatever they are called: documents to convert, or lists of URLs."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="A name for the batch: short for --metadata name=NAME.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Metadata of the batch. May be repeated.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End the batch after so long, with what there is then.")
    ] = None,
    country: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="Country to ask for pages from, and in whose languages; or RANDOM."),
    ] = None,
    robots: Annotated[
        RobotsMode | None, typer.Option(help="What a robots.txt that disallows a page means. Unless given: obey.")
    ] = None,
    on_blocked: Annotated[
        OnBlocked | None,
        typer.Option(help="What becomes of an answer that is a block page or a login form. Unless given: fail."),
    ] = None,
    parser: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Read every page into JSON, which is added to its line: `thresher parsers`."),
    ] = None,
    content: Annotated[
        Content | None, typer.Option(help="What markdown and text are of. Unless given: the whole page.")
    ] = None,
    headers: Annotated[
        list[str] | None,
        typer.Option(
            "--header",
            metavar="'NAME: VALUE'",
            help="Sent to each URL's own site. May be repeated. @FILE has one a line: others can see a command line.",
        ),
    ] = None,
    max_age: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, help="Take pages that are stored already, if they are no older than that."
        ),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the server is to tell that the batch is completed.")
    ] = None,
    compare_with: Annotated[
        str | None,
        typer.Option(
            metavar="BATCH", help="An earlier batch: count at the end what has changed since: `thresher diff`."
        ),
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start the batch, print its id, and end.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Submit nothing: say what would be refused or fail, what it costs, how long it takes."
        ),
    ] = False,
    stream: Stream = False,
    continued: Annotated[
        str | None, typer.Option("--continue", metavar="BATCH", help="Go on with a batch that was interrupted.")
    ] = None,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Submit URLs and documents, wait, and write the results.

    One JSON line per item, in the order in which they were submitted. The server is the one that THRESHER_URL names, or
    the one that runs on the data dir; if there is none, one is started for as long as this takes.
    """
    from thresher.cli.client import jobs

    check_id(continued)
    check_id(compare_with)
    formats = [*(formats or ()), *(["json"] if parser else [])]
    more = chosen(formats, MORE_FORMATS, "--format", passed_over=DEFAULT_FORMATS)
    words = [*sources, *(["--input-format", input_format] if input_format else [])]
    if as_files is not None:
        words.append("--files" if as_files else "--list")
    if as_files and input_format:
        fail("--input-format is of lists: it does not go with --files.", ExitCode.USAGE)
    words += ["--timeout", f"{timeout:g}"] if timeout is not None else []
    course = jobs.Course(jobs.result_options(output, more, data_dir), words)
    given = jobs.Input(
        sources,
        as_files if as_files is not None or input_format is None else False,
        input_format,
        fields_of(
            name,
            metadata,
            max_age,
            country=country,
            robots=robots,
            on_blocked=on_blocked,
            parser=parser,
            webhook=webhook,
            compare_with=compare_with,
            content=content,
        )
        | ({"headers": sent} if (sent := read_headers(headers or ())) else {}),
        timeout,
        continued,
    )
    if dry_run:
        if continued:
            fail("--dry-run is of a new batch: it does not go with --continue.", ExitCode.USAGE)
        run(lambda settings: jobs.forecast(settings, given, as_json=as_json), data_dir)
    wanted = jobs.Wanted(output, more, wait=not no_wait, stream=stream)
    run(lambda settings: jobs.batch(settings, given, wanted, course, as_json=as_json), data_dir)


@commands.command(epilog="Example: thresher results batch_abc -o failed.jsonl --status failed")
def results(
    batch_id: BatchId,
    output: Out = None,
    formats: Formats = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only completed, failed, skipped or cancelled items. With commas, or repeated.",
        ),
    ] = None,
    merged: Annotated[
        bool, typer.Option("--merged", help="Of the batch and all its retries: each item once, with its best result.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Write what is finished now, and end.")] = False,
    stream: Stream = False,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Wait for a batch and write its results, a JSON line per item.

    In the order in which the items were submitted; with --no-wait or --stream in the one in which they finished.
    """
    from thresher.cli.client import jobs

    check_id(batch_id)
    more = chosen(formats, MORE_FORMATS, "--format", passed_over=DEFAULT_FORMATS)
    some = chosen(statuses, STATUSES, "--status")
    if merged and stream:
        fail(
            "--merged is in the order in which the items were submitted, so there is no --stream of it.", ExitCode.USAGE
        )
    options = [*jobs.result_options(output, more, data_dir), *(["--status", ",".join(some)] if some else [])]
    options += ["--merged"] if merged else []
    wanted = jobs.Wanted(output, more, some, merged, wait=not no_wait, stream=stream)
    run(lambda settings: jobs.results(settings, batch_id, wanted, jobs.Course(options), as_json=as_json), data_dir)


@commands.command(epilog="Example: thresher retry batch_abc --code timeout,http_5xx -o again.jsonl")
def retry(
    batch_id: BatchId,
    codes: Annotated[
        list[str] | None,
        typer.Option("--code", metavar="CODE", help="Only items that failed with it. With commas, or repeated."),
    ] = None,
    output: Out = None,
    formats: Formats = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start the retry, print its id, and end.")] = False,
    stream: Stream = False,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Retry what a batch has left without a result, as a new batch, and write its results.

    Those are all items that failed, were cancelled or were skipped, unless --code narrows them.
    """
    from thresher.cli.client import jobs

    check_id(batch_id)
    more = chosen(formats, MORE_FORMATS, "--format", passed_over=DEFAULT_FORMATS)
    some = chosen(codes, [*FailureCode], "--code")
    wanted = jobs.Wanted(output, more, wait=not no_wait, stream=stream)
    course = jobs.Course(jobs.result_options(output, more, data_dir))
    run(lambda settings: jobs.retry(settings, batch_id, some, wanted, course, as_json=as_json), data_dir)


@commands.command(epilog="Example: thresher diff batch_new batch_old --text")
def diff(
    batch_id: BatchId,
    earlier: Annotated[str, typer.Argument(metavar="EARLIER", help="The batch to compare it with: batch_...")],
    output: Out = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only what became so: new, changed, same, gone, recovered, lost, failed or unknown. With commas, or"
            " repeated. Everything but same and failed unless given.",
        ),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Say what has changed, line by line.")] = False,
    merged: Annotated[bool, typer.Option("--merged", help="Take each batch together with its retries.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with code 7 if anything but same and failed is there.")
    ] = False,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Compare a batch with an earlier one, by custom_id: what is new, changed, gone, lost or recovered.

    A row for each on a terminal, a JSON line elsewhere.
    """
    from thresher.cli.client import compare

    check_id(batch_id)
    check_id(earlier)
    some = chosen(statuses, [*Change], "--status") or compare.NEWS
    wanted = compare.Comparison(batch_id, earlier, some, text, merged, output)
    run(lambda settings: compare.diff(settings, wanted, exit_code=exit_code, as_json=as_json), data_dir)


@commands.command(epilog="Example: thresher apply batch_abc --parser @thresher/article -o articles.jsonl")
def apply(
    batch_id: BatchId,
    parser: Annotated[
        str | None, typer.Option(metavar="ID", help="Read every page into JSON: `thresher parsers`. none: into none.")
    ] = None,
    content: Annotated[
        Content | None, typer.Option(help="What becomes markdown and text: the page, or its main content.")
    ] = None,
    on_blocked: Annotated[
        OnBlocked | None, typer.Option(help="What becomes of what is stored and is a block page or a login form.")
    ] = None,
    output: Out = None,
    formats: Formats = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start the new batch, print its id, and end.")] = False,
    stream: Stream = False,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Read the stored pages of a batch in another way, as a new batch, and write its results. Nothing is fetched.

    What is not given is as it was in the batch.
    """
    from thresher.cli.client import jobs

    check_id(batch_id)
    given = {"parser": parser, "content": content, "on_blocked": on_blocked}
    choices = {name: value for name, value in given.items() if value is not None}
    formats = [*(formats or ()), *(["json"] if parser not in (None, "none") else [])]
    more = chosen(formats, MORE_FORMATS, "--format", passed_over=DEFAULT_FORMATS)
    wanted = jobs.Wanted(output, more, wait=not no_wait, stream=stream)
    course = jobs.Course(jobs.result_options(output, more, data_dir))
    run(lambda settings: jobs.apply(settings, batch_id, choices, wanted, course, as_json=as_json), data_dir)


@commands.command(epilog="Example: thresher explain ret_abc")
def explain(
    item_id: Annotated[
        str, typer.Argument(metavar="RETRIEVE_ID", help="The item's id: ret_..., as a line of results has it.")
    ],
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Say what became of an item, step by step: every attempt, every wait, and what can be done."""
    from thresher.cli.client import jobs

    if re.fullmatch(r"ret_\w+", item_id, re.ASCII) is None:
        fail(f"there is no item {item_id!r}: an id looks like ret_4kt9xw2m..., see its line.", ExitCode.NOT_FOUND)
    run(lambda settings: jobs.explain(settings, item_id, as_json=as_json), data_dir)


@commands.command(epilog="Example: thresher status batch_abc --watch")
def status(
    batch_id: BatchId,
    watch: Annotated[bool, typer.Option("--watch", help="Show the progress until the batch is done.")] = False,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Say how far a batch is. With --watch, the exit code is that of the batch."""
    from thresher.cli.client import jobs

    check_id(batch_id)
    run(lambda settings: jobs.status(settings, batch_id, watch=watch, as_json=as_json), data_dir)


@commands.command("list", epilog="Example: thresher list --limit 5")
def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many, the newest first.")] = 20,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """List the latest batches."""
    from thresher.cli.client import jobs

    run(lambda settings: jobs.recent(settings, limit, as_json=as_json), data_dir)


@commands.command(epilog="Example: thresher cancel batch_abc")
def cancel(batch_id: BatchId, data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """Cancel a batch. What is finished stays, what is not is never begun."""
    from thresher.cli.client import jobs

    check_id(batch_id)
    run(lambda settings: jobs.cancel(settings, batch_id, as_json=as_json), data_dir)


def run(work: "Callable[[Settings], Coroutine[Any, Any, ExitCode]]", data_dir: Path | None) -> NoReturn:
    """Run a command, and exit with the code that it gives."""
    settings = load_settings(data_dir=data_dir)
    with expected_errors(settings.database_url):
        try:
            code = signals.run(work(settings))
        except BrokenPipeError:
            # Nobody reads what we write (`| head`), and nobody is to be told. Nor is what Python still has to flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = ExitCode.READER_GONE
    raise typer.Exit(code)


def check_id(batch_id: str | None) -> None:
    """What is no id must not become a path of the server's."""
    if batch_id is not None and not ids.is_batch_id(batch_id):
        fail(
            f"there is no batch {batch_id!r}: an id looks like batch_4kt9xw2m, see `thresher list`.", ExitCode.NOT_FOUND
        )
