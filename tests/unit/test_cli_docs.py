"""docs/cli.md and the commands say the same."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from thresher.cli.errors import ExitCode
from thresher.cli.main import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text("utf-8")
PARTS = {"serve", "api", "work", "migrate"}  # of a cluster: the README has them, and their flags are settings


def commands() -> dict[str, Any]:
    """Every command by its words, such as `keys create`."""
    found: dict[str, Any] = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {name: command} if inner is None else {f"{name} {word}": part for word, part in inner.items()}
    return {words: command for words, command in found.items() if words not in PARTS}


def flags(command: Any) -> set[str]:
    return {
        word
        for parameter in command.params
        for word in (*parameter.opts, *parameter.secondary_opts)
        if word.startswith("-")
    }


@pytest.mark.parametrize("words", commands())
def test_every_command_and_option_is_on_the_page_and_explains_itself(words: str) -> None:
    command = commands()[words]
    assert re.search(rf"thresher {words}\b", PAGE)
    for parameter in command.params:
        assert parameter.help, parameter.name
    for flag in flags(command):
        assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", PAGE), flag
    assert command.help


def test_every_option_on_the_page_is_one_of_a_command() -> None:
    known = set().union(*(flags(command) for command in commands().values())) | {"--help"}
    completion = {"--install-completion", "--show-completion"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) <= known | completion


def test_every_exit_code_is_on_the_page_and_the_other_way_round() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d+) \| ", PAGE, re.MULTILINE)} == set(ExitCode)


def test_exit_codes_are_written_by_their_names() -> None:
    for file in (ROOT / "src" / "thresher" / "cli").rglob("*.py"):
        for call in [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]:
            name = ast.unparse(call.func).rpartition(".")[2]
            if name in ("CommandError", "fail", "Exit", "SystemExit", "InputError"):
                given = [*call.args, *(keyword.value for keyword in call.keywords)]
                assert not [a for a in given if isinstance(a, ast.Constant) and isinstance(a.value, int)], ast.unparse(
                    call
                )
