"""The documents say what is there: links lead somewhere, and names are those of the tree, the API and the settings."""

import importlib
import re
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from thresher.api.app import create_app
from thresher.cli.main import app as commands
from thresher.settings import Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "thresher"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ADRS = sorted(ROOT.glob("docs/adr/[0-9]*.md"))

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(document: Path) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def code_words(document: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(document))


def anchors(document: Path) -> set[str]:
    """The fragments that headings get, as the usual hosts make them."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def known_settings() -> set[str]:
    known = {f"THRESHER_{name.upper()}" for name in Settings.model_fields} | {"THRESHER_CONFIG"}
    for file in ROOT.glob("tests/**/*.py"):  # the tests have variables of their own
        known |= set(re.findall(r'os\.environ\.get\("(THRESHER_TEST_\w+)"\)', file.read_text("utf-8")))
    return known


@cache
def known_commands() -> set[str]:
    return set(get_command(commands).commands)  # type: ignore[attr-defined]


@cache
def known_paths() -> set[str]:
    """The paths of the API, without the names of their parameters."""
    api = create_app(Settings(database_url="postgresql://unused"))
    known = {*api.openapi()["paths"], "/docs", "/docs/problems", "/openapi.json"}
    return {re.sub(r"\{\w+\}", "{}", name) for name in known}


@every_document
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, fragment = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        assert not fragment or fragment in anchors(file), target


@every_document
def test_every_setting_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"\bTHRESHER_[A-Z0-9_]*[A-Z0-9]\b", document.read_text("utf-8")))
    assert named <= known_settings()


@every_document
def test_every_command_that_is_named_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    named = set(re.findall(r"(?:`|&& |/)thresher ([a-z]+)", text))
    assert named <= known_commands()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z]+)", text)) <= targets


@every_document
def test_every_endpoint_that_is_named_exists(document: Path) -> None:
    for word in code_words(document):
        match = re.fullmatch(r"(?:(?:GET|POST|PATCH|PUT|DELETE) )?(/(?:v1/|healthz|readyz|docs|openapi)\S*)", word)
        if match:
            path = re.sub(r"\{\w+\}", "{}", match[1].partition("?")[0])
            assert path in known_paths(), word


@every_document
def test_every_module_and_function_that_is_named_exists(document: Path) -> None:
    for word in code_words(document):
        if re.fullmatch(r"(?:domain|storage|net|convert|pipeline|engine|api|cli|tests)/[\w./]*", word):
            assert (SOURCE / word).exists() or (ROOT / word).exists(), word
        if match := re.fullmatch(
            r"((?:domain|storage|net|convert|pipeline|engine|api|cli)(?:\.[a-z_]+)+)\.(\w+)", word
        ):
            assert hasattr(importlib.import_module(f"thresher.{match[1]}"), match[2]), word


def test_the_architecture_lists_every_module_and_no_other() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    listed = re.findall(r"^  ([\w/]+\.(?:py|sql)) ", text, re.MULTILINE)
    present = [path for path in SOURCE.rglob("*") if path.suffix in (".py", ".sql") and path.stat().st_size > 0]
    assert sorted(listed) == sorted(str(path.relative_to(SOURCE)) for path in present)


def test_every_promise_names_a_test_that_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    proofs = re.findall(r"`(tests/[\w/]+\.py)` `(test_\w+)`", text)
    assert len(proofs) == len(re.findall(r"`test_\w+` \|$", text, re.MULTILINE)) > 10
    for file, name in proofs:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), name


def test_every_tier_of_tests_has_a_budget_and_all_take_less_than_ten_minutes() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    budgets = {tier: int(s) for tier, s in re.findall(r"^\| `tests/(\w+)` \|.*\| (\d+) s \|$", text, re.MULTILINE)}
    assert set(budgets) == {file.parent.name for file in ROOT.glob("tests/*/test_*.py")}
    assert sum(budgets.values()) < 600


def test_the_decisions_are_numbered_without_a_gap_and_all_in_the_index() -> None:
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))
    index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    for path in ADRS:
        number, title = path.read_text("utf-8").splitlines()[0].removeprefix("# ").split(". ", 1)
        assert number == path.name[:4]
        assert f"| {number} | [{title}]({path.name}) |" in index


@pytest.mark.parametrize("adr", ADRS, ids=lambda path: path.stem)
def test_a_decision_has_its_four_parts_on_one_page(adr: Path) -> None:
    text = adr.read_text("utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences", "Alternatives"]
    assert len(text.splitlines()) <= 60
