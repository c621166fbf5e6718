"""What the operator's commands share: work on the database, and names that can be shown."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from thresher.cli.errors import CommandError, ExitCode, expected_errors, load_settings

if TYPE_CHECKING:
    from thresher.storage.database import Connection

Result = TypeVar("Result")


def with_database(
    work: "Callable[[Connection], Awaitable[Result]]", data_dir: Path | None, *, make: bool = False
) -> Result:
    """Do the work on DATABASE_URL, or on the data dir's database, of which `make` makes one. Errors end the command."""
    from thresher.cli import signals
    from thresher.cli.database import operators_connection

    settings = load_settings(data_dir=data_dir)

    async def main() -> Result:
        async with operators_connection(settings, make=make) as connection:
            return await work(connection)

    with expected_errors(settings.database_url):
        return signals.run(main())


async def find_account(connection: "Connection", name: str) -> int:
    """The account of this name or id. Raises CommandError."""
    from thresher.storage import accounts

    account = await accounts.find(connection, name)
    if account is None:
        raise CommandError(f"there is no account {name}. `thresher accounts list` shows them.", ExitCode.NOT_FOUND)
    return account


def check_name(name: str, hint: str) -> None:
    """Refuse a name that a list could not show."""
    if not name.strip() or not name.isprintable() or len(name) > 100:
        raise typer.BadParameter("up to 100 printable characters", param_hint=hint)
