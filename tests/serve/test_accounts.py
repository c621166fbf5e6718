"""`thresher accounts`, and the keys of an account, on a database of the operator's own."""

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from thresher.cli.main import app
from thresher.storage import accounts


class Commands:
    """Commands in this process; the errors of those that fail are in `said`."""

    def __init__(self) -> None:
        self.said = ""

    def run(self, *arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, (result.output, result.exception)
        self.said = result.stderr
        return result.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture
def commands(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.setenv("DATABASE_URL", database_url)
    asyncio.run(accounts.bootstrap(database_url, None))
    return Commands()


def test_an_operator_makes_accounts_gives_them_credits_and_makes_their_keys(commands: Commands) -> None:
    acme = commands.json("accounts", "create", "acme", "--credits", "100")
    assert (acme["name"], len(acme["id"])) == ("acme", 36)
    assert acme["credits"] == {"unlimited": False, "available": 100, "reserved": 0, "consumed": 0}
    commands.run("accounts", "create", "acme", code=1)
    assert "of the name acme already" in commands.said
    free = commands.json("accounts", "create", "[red] free")
    assert free["credits"] == {"unlimited": True, "available": None, "reserved": 0, "consumed": 0}

    def available(*arguments: str) -> int | None:
        found: int | None = commands.json("accounts", "credits", *arguments)["credits"]["available"]
        return found

    assert available("acme") == 100
    assert available("acme", "+50", "--note", "May") == 150
    assert available(acme["id"], "-150") == 0
    commands.run("accounts", "credits", "acme", "-1", code=1)
    assert "1 credits cannot be taken back: 0 are available" in commands.said
    assert available("acme", "--unlimited") is None
    assert available("[red] free", "+0") == 0
    commands.run("accounts", "credits", "nobody", "+1", code=5)
    assert "no account nobody" in commands.said

    key = commands.json("keys", "create", "--account", "acme", "--scope", "read", "--scope", "write", "--name", "both")
    assert (key["account"], key["scopes"]) == ("acme", ["read", "write"])
    commands.run("keys", "create", "--account", acme["id"], "--scope", "read")
    assert "(key) of the account acme, shown only now" in commands.said
    assert commands.json("keys", "create")["account"] == "default", "without a name it is the first one's"
    commands.run("keys", "create", "--account", "nobody", code=5)

    listed = [line.split("\t") for line in commands.run("accounts", "list").splitlines()]
    assert [line[1:2] + line[3:] for line in listed] == [
        ["name", "available", "reserved", "consumed"],
        ["default", "unlimited", "0", "0"],
        ["acme", "unlimited", "0", "0"],
        ["[red] free", "0", "0", "0"],
    ]
    assert commands.json("accounts", "list")[1]["id"] == listed[2][0] == acme["id"]
    shown = [line.split("\t")[1:4] for line in commands.run("keys", "list").splitlines()]
    assert shown == [
        ["name", "account", "scopes"],
        ["bootstrap", "default", "all"],
        ["both", "acme", "read, write"],
        ["key", "acme", "read"],
        ["key", "default", "all"],
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", ""),
        ("create", "a\nb"),
        ("create", "acme", "--credits", "-1"),
        ("credits", "default", "500"),
        ("credits", "default", "+9999999999999"),
        ("credits", "default", "--unlimitd"),
        ("credits", "default", "+1", "--unlimited"),
        ("credits", "default", "+1", "--note", "a\0b"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    Commands().run("accounts", *arguments, code=2)
