"""The table of problems: complete, in sentences, in step with HTTP, and the page in docs/ is made of it."""

import re
from http import HTTPStatus
from pathlib import Path

import pytest
from tools import docs

from thresher.domain.problem import PROBLEMS, ProblemCode
from thresher.settings import Settings

PAGES = Path(__file__).parents[2] / "docs"


def test_every_code_is_in_the_table_in_the_order_of_the_statuses() -> None:
    assert list(PROBLEMS) == list(ProblemCode)
    statuses = [kind.status for kind in PROBLEMS.values()]
    assert statuses == sorted(statuses)


@pytest.mark.parametrize("code", ProblemCode)
def test_every_problem_has_a_meaning_and_a_remedy_in_sentences(code: ProblemCode) -> None:
    kind = PROBLEMS[code]
    assert HTTPStatus(kind.status) >= 400
    for text in (kind.meaning, kind.remedy):
        assert text[0].isupper()
        assert text.endswith(".")
        assert "|" not in text
    assert re.fullmatch(r"[a-z][a-z_]*", code)
    assert re.fullmatch(r"[a-z][a-z_]*", kind.slug)


def test_problems_of_one_page_have_one_status_and_one_title() -> None:
    pages = {(kind.slug, kind.status, kind.title) for kind in PROBLEMS.values()}
    assert len({slug for slug, _, _ in pages}) == len(pages)


def test_every_setting_that_is_named_exists() -> None:
    texts = [f"{kind.meaning} {kind.remedy}" for kind in PROBLEMS.values()]
    named = {name for text in texts for name in re.findall(r"THRESHER_([A-Z_]+)", text)}
    assert named <= {name.upper() for name in Settings.model_fields}


def test_the_page_of_problems_is_made_of_the_table() -> None:
    assert (PAGES / "problems.md").read_text("utf-8") == docs.problems(), "run `make docs`"
