"""`thresher parsers`: its flags, and which module does it. It runs against any server, as the batch commands do."""

from typing import Annotated

import typer

from thresher.cli.client.commands import run
from thresher.cli.options import DataDirectory, Json

app = typer.Typer(
    name="parsers",
    help="List the parsers that a batch can choose from; make, try and retire your own.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

ParserId = Annotated[str, typer.Argument(metavar="NAME", help="my-shop, or one version of it: my-shop@2.")]


@app.callback(epilog="Example: thresher batch urls.txt --parser @thresher/product -o products.jsonl")
def parsers(context: typer.Context, data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """List the parsers that a batch can choose from; with --json, what each one makes of a page."""
    if context.invoked_subcommand is None:
        from thresher.cli.client import parsers as jobs

        run(lambda settings: jobs.listing(settings, as_json=as_json), data_dir)


@app.command(epilog="Example: thresher parsers show my-shop > my-shop.json")
def show(parser_id: ParserId, data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """Print the definition of a parser of your own, or the schema of one that is built in."""
    from thresher.cli.client import parsers as jobs

    run(lambda settings: jobs.show(settings, parser_id, as_json=as_json), data_dir)


@app.command(epilog="Example: thresher parsers put my-shop my-shop.json")
def put(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What batches call it: my-shop, or @acme/my-shop.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The definition, in JSON; - is standard input.")],
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Make a parser, or a new version of it. The same definition again changes nothing."""
    from thresher.cli.client import parsers as jobs

    run(lambda settings: jobs.put(settings, name, file, as_json=as_json), data_dir)


@app.command(epilog="Example: thresher parsers retire my-shop@1")
def retire(parser_id: ParserId, data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """Let no new batch choose a parser, or one version of it. Batches that have it go on."""
    from thresher.cli.client import parsers as jobs

    run(lambda settings: jobs.retire(settings, parser_id, as_json=as_json), data_dir)


@app.command(
    "try", epilog="Example: thresher parsers try my-shop.json --html page.html   |   ... --url https://shop.example/1"
)
def try_parser(
    parser: Annotated[
        str,
        typer.Argument(metavar="FILE|NAME", help="A definition (*.json, or - for standard input), or a parser's name."),
    ],
    html: Annotated[str | None, typer.Option(metavar="FILE", help="The page; - is standard input.")] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The page to fetch; with --html, where that is from.")
    ] = None,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Try a parser on one page: what it makes of it, and for every field what matched, or why nothing did.

    The result is on standard output, the fields are on standard error. The exit code is 3 if there is no result.
    """
    from thresher.cli.client import parsers as jobs

    run(lambda settings: jobs.try_parser(settings, parser, html, url, as_json=as_json), data_dir)
