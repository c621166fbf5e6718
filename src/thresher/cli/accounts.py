"""`thresher accounts`: accounts made and listed by the operator, and their credits, in the database."""

import json
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thresher.cli import table
from thresher.cli.errors import CommandError
from thresher.cli.operator import check_name, find_account, with_database
from thresher.cli.options import DataDirectory, Json
from thresher.cli.terminal import put

if TYPE_CHECKING:
    from thresher.storage.database import Connection
    from thresher.storage.ledger import Statement

MOST = 10**12  # credits that are given or taken at a time

app = typer.Typer(
    name="accounts",
    help="Make and list accounts, and give them credits.\n\nIt works on the database: DATABASE_URL, or that of the data dir, also while a server runs there.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the account is called. No two have the same name.")]
Credits = Annotated[
    int | None, typer.Option("--credits", min=0, max=MOST, help="Credits that it may spend. Unset: any number.")
]
Which = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name or id, as the list has them.")]
Amount = Annotated[str | None, typer.Argument(metavar="[+N|-N]", help="Credits to give, or to take back.")]
Unlimited = Annotated[bool, typer.Option("--unlimited", help="Let it spend any number of credits.")]
Note = Annotated[str | None, typer.Option(help="Why, for the ledger.")]


@app.command(epilog="Example: thresher accounts create acme --credits 10000")
def create(name: Name, grant: Credits = None, data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """Make an account.

    It sees no batch of another account. `thresher keys create --account` makes keys for it.
    """
    from thresher.storage import accounts
    from thresher.storage.ledger import statement

    check_name(name, "NAME")

    async def make(connection: "Connection") -> "Statement":
        account = await accounts.create(connection, name, grant)
        if account is None:
            raise CommandError(f"there is an account of the name {name} already.")
        return await statement(connection, account)

    _show([with_database(make, data_dir, make=True)], as_json=as_json, single=True)


@app.command("list")
def list_(data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """List the accounts, with the credits that they have, reserve and have consumed."""
    from thresher.storage.ledger import statements

    _show(with_database(statements, data_dir), as_json=as_json)


# Else -N would be taken for an option.
@app.command(
    "credits",
    context_settings={"ignore_unknown_options": True},
    epilog="Example: thresher accounts credits acme +500 --note May",
)
def credits_(
    account: Which,
    amount: Amount = None,
    unlimited: Unlimited = False,
    note: Note = None,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Show an account's credits, give it some, or take some back.

    An account without a limit has one as soon as it is given credits; what it used before is not counted.
    """
    from thresher.storage import ledger

    given = _amount(amount)
    if unlimited and given is not None:
        raise typer.BadParameter("not together with +N or -N", param_hint="--unlimited")
    if note is not None:
        check_name(note, "--note")

    async def work(connection: "Connection") -> "Statement":
        found = await find_account(connection, account)
        try:
            if given is not None:
                await ledger.grant(connection, found, given, note)
        except ledger.TooFew as few:
            raise CommandError(f"{few}.") from few
        if unlimited:
            await ledger.lift(connection, found)
        return await ledger.statement(connection, found)

    _show([with_database(work, data_dir)], as_json=as_json, single=True)


def _amount(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[+-]\d{1,13}", text, re.ASCII) or abs(int(text)) > MOST:
        raise typer.BadParameter(f"a number with its sign, up to {MOST}: +500 or -500", param_hint="+N|-N")
    return int(text)


def _show(statements: "list[Statement]", *, as_json: bool, single: bool = False) -> None:
    if as_json:
        found = [_plain(statement) for statement in statements]
        put(json.dumps(found[0] if single else found))
    elif statements:
        rows = [_row(statement) for statement in statements]
        table.write(rows, ("id", "name", "created", "available", "reserved", "consumed"))
    else:
        print("There are no accounts. `thresher accounts create` makes one.", file=sys.stderr)


def _plain(statement: "Statement") -> dict[str, Any]:
    """For JSON, as in the API."""
    return {
        "id": str(statement.org),
        "name": statement.name,
        "created": int(statement.created_at.timestamp()),
        "credits": {
            "unlimited": not statement.limited,
            "available": statement.available,
            "reserved": statement.reserved,
            "consumed": statement.consumed,
        },
    }


def _row(statement: "Statement") -> list[str]:
    available = "unlimited" if statement.available is None else str(statement.available)
    return [
        str(statement.org),
        statement.name,
        table.day(statement.created_at),
        available,
        str(statement.reserved),
        str(statement.consumed),
    ]
