"""The table of failures: complete, in sentences, and the page in docs/ is made of it."""

import re
from pathlib import Path

import pytest
from tools import docs

from thresher.domain.failure import FAILURES, FailureCode, ItemFailed
from thresher.settings import Settings

PAGES = Path(__file__).parents[2] / "docs"


def test_every_code_is_in_the_table_in_the_order_of_the_pipeline() -> None:
    assert list(FAILURES) == list(FailureCode)


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_has_a_meaning_and_a_remedy_in_sentences(code: FailureCode) -> None:
    kind = FAILURES[code]
    for text in (kind.meaning, kind.remedy):
        assert text[0].isupper()
        assert text.endswith(".")
        assert "|" not in text
    assert re.fullmatch(r"[a-z][a-z0-9_]*", code)


def test_every_setting_that_a_remedy_names_exists() -> None:
    named = {name for kind in FAILURES.values() for name in re.findall(r"THRESHER_([A-Z_]+)", kind.remedy)}
    assert named
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_a_failure_without_particulars_is_told_by_its_meaning() -> None:
    assert ItemFailed(FailureCode.TIMEOUT).failure.detail == FAILURES[FailureCode.TIMEOUT].meaning
    failed = ItemFailed(FailureCode.HTTP_4XX, "404 Not Found").failure
    assert (failed.detail, failed.kind) == ("404 Not Found", FAILURES[FailureCode.HTTP_4XX])


def test_the_page_of_failures_is_made_of_the_table() -> None:
    assert (PAGES / "failures.md").read_text("utf-8") == docs.failures(), "run `make docs`"
