"""Writes the pages of docs/ that are made from tables in the code: `python tools/docs.py`. A test holds them equal."""

import re
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from thresher.domain.failure import FAILURES
from thresher.domain.problem import PROBLEMS
from thresher.settings import Settings

DOCS = Path(__file__).parent.parent / "docs"

_FAILURES = """# How an item can fail

Made from `src/thresher/domain/failure.py` by `make docs`; edit that table, not this page.

Every failed item has one of these codes. A code never changes its meaning. *Retried*: trying again can help, and
Thresher does so by itself (`THRESHER_RETRIES`) as long as the item has time. *Billed*: the attempt is charged.

| Code | Meaning | Retried | Billed | What to do |
| --- | --- | --- | --- | --- |
"""

_PROBLEMS = """# How a request can fail

Made from `src/thresher/domain/problem.py` by `make docs`; edit that table, not this page.

Every refusal is a problem (RFC 9457) with one of these codes, and every server shows this table under
`/docs/problems`, where the `type` of a problem leads. A code never changes its meaning.
How an item of a batch can fail is in [failures.md](failures.md).

| Status | Code | Meaning | What to do |
| --- | --- | --- | --- |
"""

_SETTINGS = """# Settings

Made from `src/thresher/settings.py` by `make docs`; edit that module, not this page.

A setting is given as an environment variable, or in the TOML file that `THRESHER_CONFIG` names (there the name is in
lower case, without the prefix). Precedence: command-line flag, environment, file, default. Lists are written with commas
in the environment, as arrays in TOML. An empty variable is an unset one. Settings are read at the start and never again.

| Variable | Default | Meaning |
| --- | --- | --- |
"""

# Defaults that depend on the machine, in words.
_COMPUTED = {
    "data_dir": "`/var/lib/thresher` as root, else `~/.local/share/thresher`",
    "workers": "the number of cores",
}


def failures() -> str:
    """The page of failures."""
    rows = (
        f"| `{code}` | {kind.meaning} | {_yes(kind.retryable)} | {_yes(kind.billed)} | {kind.remedy} |\n"
        for code, kind in FAILURES.items()
    )
    return _FAILURES + "".join(rows)


def problems() -> str:
    """The page of problems."""
    rows = (f"| {kind.status} | `{code}` | {kind.meaning} | {kind.remedy} |\n" for code, kind in PROBLEMS.items())
    return _PROBLEMS + "".join(rows)


def settings() -> str:
    """The page of settings."""
    rows = (
        f"| {_variables(name, field)} | {_default(name, field)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    )
    return _SETTINGS + "".join(rows)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _variables(name: str, field: FieldInfo) -> str:
    choices: list[Any] = getattr(field.validation_alias, "choices", [])
    names = [str(choice) for choice in choices if str(choice).isupper()] or [f"THRESHER_{name.upper()}"]
    return " or ".join(f"`{each}`" for each in names)


def _default(name: str, field: FieldInfo) -> str:
    if name in _COMPUTED:
        return _COMPUTED[name]
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "unset"
    if value in ((), {}):
        return "empty"
    return f"`{re.sub(r'[.]0$', '', str(value))}`"


def main() -> None:
    (DOCS / "failures.md").write_text(failures(), "utf-8")
    (DOCS / "problems.md").write_text(problems(), "utf-8")
    (DOCS / "settings.md").write_text(settings(), "utf-8")


if __name__ == "__main__":
    main()
