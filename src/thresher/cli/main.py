"""The command line: flags to settings, and each command to the module that does it.

What a command needs is imported when it runs, so that `--help` is quick and a worker does not load the API.
"""

import asyncio
import json
import os
import platform
import sys
from typing import Annotated

import typer

from thresher import __version__
from thresher.cli import accounts, errors, keys, loading, logs
from thresher.cli.client import output, parser_commands, webhook_commands
from thresher.cli.client.commands import commands
from thresher.cli.errors import CommandError, ExitCode, expected_errors, load_settings, need_database
from thresher.cli.options import DataDirectory, Json
from thresher.cli.terminal import put

app = typer.Typer(
    name="thresher",
    help="A self-hosted batch engine: URLs in, markdown, HTML, text, links and the fate of every item out.",
    epilog="Settings are THRESHER_<NAME> in the environment, or a TOML file named by THRESHER_CONFIG; flags come first.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(commands)
app.add_typer(accounts.app)
app.add_typer(keys.app)
app.add_typer(parser_commands.app)
app.add_typer(webhook_commands.app)

Host = Annotated[str | None, typer.Option(help="Address to listen on. 127.0.0.1 unless set; opening it is a decision.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. 8080 unless set.")]
Workers = Annotated[int | None, typer.Option(help="Worker processes. One per core unless set.")]


@app.command(epilog="Example: thresher serve --port 9000 --data-dir ~/thresher")
def serve(host: Host = None, port: Port = None, data_dir: DataDirectory = None, workers: Workers = None) -> None:
    """Run everything on this machine.

    That is the API, the workers, and a PostgreSQL of its own, unless DATABASE_URL names one. The first start prints an
    API key.
    """
    settings = load_settings(host=host, port=port, data_dir=data_dir, workers=workers)
    logs.to_stderr(settings.log_level)
    from thresher.cli.serve import run

    with expected_errors(settings.database_url):
        run(settings)


@app.command(epilog="Example: DATABASE_URL=postgresql://thresher@db/thresher thresher api --host 0.0.0.0")
def api(host: Host = None, port: Port = None) -> None:
    """Run the HTTP API alone, as one part of a cluster. Needs DATABASE_URL."""
    settings = load_settings(host=host, port=port)
    logs.to_stderr(settings.log_level)
    with expected_errors(settings.database_url):
        need_database(settings)
        from thresher.api.app import serve as serve_api

        loading.ends()
        serve_api(settings)


@app.command(epilog="Example: DATABASE_URL=postgresql://thresher@db/thresher thresher work")
def work() -> None:
    """Run one worker process, as one part of a cluster. Needs DATABASE_URL. Start one per core."""
    settings = load_settings()
    logs.to_stderr(settings.log_level)
    with expected_errors(settings.database_url):
        database_url = need_database(settings)
        from thresher.cli.preflight import check_fetching, check_migrated

        check_fetching(settings)
        asyncio.run(check_migrated(database_url))
        from thresher.engine.worker import run

        loading.ends()
        run(settings)


@app.command(epilog="Example: DATABASE_URL=postgresql://thresher@db/thresher thresher migrate")
def migrate() -> None:
    """Bring the database's schema up to date. Needs DATABASE_URL.

    It comes before the other parts of a cluster. On a new database it also makes the first API key, and prints it on
    standard output.
    """
    settings = load_settings()
    logs.to_stderr(settings.log_level)
    from thresher.cli.setup import prepare_database

    loading.ends()
    with expected_errors(settings.database_url):
        key = asyncio.run(prepare_database(need_database(settings), settings.bootstrap_key))
    typer.echo("The schema is up to date.", err=True)
    if key is not None:
        typer.echo("Your API key, shown only now:", err=True)
        put(key)


@app.command(epilog="Example: thresher doctor --json")
def doctor(data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """Look at what Thresher needs, and say what is missing.

    The exit code is 1 if something necessary is missing.
    """
    settings = load_settings(data_dir=data_dir)
    from thresher.cli import signals
    from thresher.cli.doctor import report

    with expected_errors(settings.database_url):
        findings = signals.run(report.examine(settings))
    (report.show_json if as_json else report.show)(findings)
    raise typer.Exit(ExitCode.OK if report.healthy(findings) else ExitCode.ERROR)


@app.command()
def version(as_json: Json = False) -> None:
    """Print the version."""
    facts = {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
    put(json.dumps(facts) if as_json else __version__)


def main() -> None:
    """The entry point of `thresher` and of `python -m thresher.cli.main`."""
    loading.begins()
    # Before anything is made: no file and no socket of ours is for other users.
    output.umask = os.umask(0o077)
    errors.as_json = "--json" in sys.argv[1:]
    try:
        sys.exit(app(standalone_mode=not errors.as_json))
    except typer.TyperException as error:  # how a command line that cannot be understood ends in the other mode
        errors.fail(error.format_message(), ExitCode(error.exit_code))
    except CommandError as error:  # of what a command has written when its work was over
        errors.fail(str(error), error.code)


if __name__ == "__main__":
    main()
