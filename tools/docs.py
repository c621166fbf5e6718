"""Writes the pages of docs/ that are made from tables in the code: `python tools/docs.py`. A test holds them equal."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from thresher.domain.failure import FAILURES
from thresher.domain.parsers import PARSERS, Parser
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

_PARSERS = """# Parsers

Made from `src/thresher/domain/parsers.py` by `make docs`; edit that registry, not this page.

A batch with a `parser` has every page read into a JSON object as well: `json_content` of a retrieve, `json` of an export, as
text. `GET /v1/parsers` has this list with the JSON Schema of each object. You can make [your own](own-parsers.md), without code, and packages can
add [others](plugins.md).

```sh
curl -H "Authorization: Bearer $KEY" -d '{"urls": ["https://example.com/"], "parser": {"id": "@thresher/article"}}' \\
  http://127.0.0.1:8080/v1/batches
thresher batch urls.txt --parser @thresher/article -o articles.jsonl
```

Every key below is always there, null or empty for what a page does not have, but for those that may be absent: their schema
is another system's. An article, a product and a result page must be there: a page without one fails with `parser_no_match`, as does everything that is not HTML; the other parsers find
nothing on a page that has nothing, and the item is completed. A page that a parser cannot cope with fails with
`parser_failed`. Failed items have no result, the page's markdown included, and cost nothing. Parsers read the page as
it was fetched, no script is run, and nothing more is fetched. They work under the limits of the page's conversion.
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


def parsers() -> str:
    """The page of parsers."""
    return _PARSERS + "".join(map(_parser, PARSERS.values()))


def _parser(parser: Parser) -> str:
    also = f" Also {', '.join(f'`{alias}`' for alias in parser.aliases)}." if parser.aliases else ""
    price = f"{parser.credits} credit{'s' if parser.credits > 1 else ''} an item."
    rows = "".join(
        f"| `{path}` | {_type(schema)}{'' if always else ', or absent'} | {schema.get('description', '')} |\n"
        for path, schema, always in _fields(parser.schema)
    )
    return f"\n## `{parser.id}`\n\n{parser.title}. {price}{also}\n\n| Key | Type | What it is |\n| --- | --- | --- |\n{rows}"


def _fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every key of an object, with those of the objects in it, and whether it is always there."""
    for name, inner in schema.get("properties", {}).items():
        yield path + name, inner, name in schema["required"]
        yield from _fields(inner, f"{path}{name}.")
        yield from _fields(inner.get("items", {}), f"{path}{name}[].")


def _type(schema: dict[str, Any], *, many: bool = False) -> str:
    end = "s" if many else ""
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list{end} of {_type(schema['items'], many=True)}" if "type" in schema["items"] else f"list{end}"
    if isinstance(values := schema.get("additionalProperties"), dict):
        return f"object{end} of {_type(values, many=True)}"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(kind + end for kind in kinds)


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
    (DOCS / "parsers.md").write_text(parsers(), "utf-8")
    (DOCS / "problems.md").write_text(problems(), "utf-8")
    (DOCS / "settings.md").write_text(settings(), "utf-8")


if __name__ == "__main__":
    main()
