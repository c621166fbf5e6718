"""`thresher keys`: API keys made, listed and revoked by the operator, in the database. It never shows a key twice."""

import json
import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thresher.cli import table
from thresher.cli.errors import CommandError, ExitCode
from thresher.cli.operator import check_name, find_account, with_database
from thresher.cli.options import DataDirectory, Json
from thresher.cli.terminal import put
from thresher.domain.scopes import Scope

if TYPE_CHECKING:
    from thresher.storage.database import Connection
    from thresher.storage.keys import Key

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST = timedelta(days=36_500)

app = typer.Typer(
    name="keys",
    help="Make, list and revoke API keys.\n\nIt works on the database: DATABASE_URL, or that of the data dir, also while a server runs there.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Option(help="What the key is for, as the list will show it.")]
Expires = Annotated[str | None, typer.Option(help="How long it is good for: 45m, 12h, 30d, 8w. For good unless set.")]
Account = Annotated[str | None, typer.Option(help="Name or id of the account that it opens. Unset: the first one.")]
Scopes = Annotated[list[Scope] | None, typer.Option("--scope", help="What it may do; may be repeated. Unset: all.")]
All = Annotated[bool, typer.Option("--all", help="Show also the keys that running servers made for local commands.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, 8 hex digits, as `thresher keys list` has it.")]


@app.command(epilog="Example: thresher keys create --name crawler --expires 30d > crawler.key")
def create(
    name: Name = "key",
    account: Account = None,
    scope: Scopes = None,
    expires: Expires = None,
    data_dir: DataDirectory = None,
    as_json: Json = False,
) -> None:
    """Make an API key.

    It is printed alone on standard output, and never shown again.
    """
    from thresher.domain import ids
    from thresher.storage import accounts, keys

    key, lifetime = ids.api_key(), _lifetime(expires)
    check_name(name, "--name")

    async def make(connection: "Connection") -> "Key":
        opened = await (accounts.first(connection) if account is None else find_account(connection, account))
        try:
            return await keys.create(connection, opened, key, name, lifetime, scope or ())
        except ValueError as error:
            raise CommandError(f"--name: {error}", code=ExitCode.USAGE) from error

    made = with_database(make, data_dir, make=True)
    if as_json:
        put(json.dumps({**_plain(made), "key": key}))
        return
    end = "does not expire" if made.expires_at is None else f"expires {table.day(made.expires_at)}"
    print(f"The key {made.id} ({made.name}) of the account {made.account}, shown only now; it {end}:", file=sys.stderr)
    put(key)


@app.command("list")
def list_(show_all: All = False, data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """List the API keys.

    Those that are revoked or expired too; never the keys themselves.
    """
    from thresher.storage import keys

    found = with_database(lambda connection: keys.list_all(connection, local=show_all), data_dir)
    if as_json:
        put(json.dumps([_plain(key) for key in found]))
    elif found:
        header = ("id", "name", "account", "scopes", "created", "expires", "revoked")
        table.write([_row(key) for key in found], header)
    else:
        print("There are no keys. `thresher keys create` makes one.", file=sys.stderr)


@app.command(epilog="Example: thresher keys revoke 1f0c9a2b")
def revoke(key_id: KeyId, data_dir: DataDirectory = None, as_json: Json = False) -> None:
    """Revoke an API key.

    Within five seconds no server takes it any more.
    """
    from thresher.storage import keys

    async def end(connection: "Connection") -> "Key":
        if (key := await keys.revoke(connection, key_id.lower())) is None:
            raise CommandError(
                f"there is no key with the id {key_id}. `thresher keys list` shows them.", ExitCode.NOT_FOUND
            )
        return key

    ended = with_database(end, data_dir)
    if as_json:
        put(json.dumps(_plain(ended)))
    else:
        print(f"The key {ended.id} ({ended.name}) is revoked.", file=sys.stderr)


def _lifetime(text: str | None) -> timedelta | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,8})([smhdw])", text)
    lifetime = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else timedelta.max
    if lifetime > LONGEST:
        raise typer.BadParameter("a time like 45m, 12h, 30d or 8w, up to a hundred years", param_hint="--expires")
    return lifetime


def _plain(key: "Key") -> dict[str, Any]:
    """For JSON: times in seconds since the epoch, as in the API."""
    times = {"created": key.created_at, "expires": key.expires_at, "revoked": key.revoked_at}
    seconds = {name: None if time is None else int(time.timestamp()) for name, time in times.items()}
    return {"id": key.id, "name": key.name, "account": key.account, "scopes": key.scopes, **seconds}


def _row(key: "Key") -> list[str]:
    times = [table.day(time) for time in (key.created_at, key.expires_at, key.revoked_at)]
    return [key.id, key.name, key.account, ", ".join(key.scopes) or "all", *times]
