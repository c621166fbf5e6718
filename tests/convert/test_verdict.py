"""What is not the page is told from what is, with its evidence."""

import pytest
from tests.pages.verdicts import NOT_THE_PAGE, THE_PAGE, Given

from thresher.convert import html
from thresher.convert.document import Verdict
from thresher.convert.laps import Laps
from thresher.convert.verdict import Answer, judge, title_segments


def verdict_on(given: Given) -> Verdict | None:
    made = html.convert(given.html, given.url, Laps())
    answer = Answer(
        given.html, made.title, made.markdown, made.text, given.url, given.requested or given.url, given.headers
    )
    return judge(answer)


@pytest.mark.parametrize("given", NOT_THE_PAGE, ids=lambda given: given.name)
def test_what_is_not_the_page_is_recognised_and_says_why(given: Given) -> None:
    verdict = verdict_on(given)
    assert verdict is not None
    assert verdict.code == given.code
    assert all(verdict.evidence)


@pytest.mark.parametrize("given", THE_PAGE, ids=lambda given: given.name)
def test_a_page_is_left_alone(given: Given) -> None:
    assert verdict_on(given) is None


def test_there_are_thirty_pages_and_more_on_each_side() -> None:
    assert min(len(NOT_THE_PAGE), len(THE_PAGE)) >= 30
    assert {given.code for given in NOT_THE_PAGE} == {"site_blocked", "login_required", "soft_404", "empty_page"}


def test_the_evidence_names_what_was_seen() -> None:
    given = next(one for one in NOT_THE_PAGE if one.name == "please enable JS")
    assert verdict_on(given) == Verdict(
        "site_blocked",  # type: ignore[arg-type]
        ("the text says 'please enable js and disable any ad blocker'", "the source has DataDome's challenge"),
    )


def test_a_title_is_taken_apart_at_its_separators_only() -> None:
    assert title_segments("Sign in - Example | News") == ["sign in - example | news", "sign in", "example", "news"]
    assert title_segments("e-mail: the half-life of it") == [
        "e-mail: the half-life of it",
        "e-mail",
        "the half-life of it",
    ]
    assert title_segments(None) == []


@pytest.mark.parametrize(
    "title", ["404 " * 30, "access " * 17, "the page " * 13, "a" * 120, "you are " * 15, "страница " * 13, " - " * 40]
)
def test_a_title_made_to_be_tried_in_every_way_is_judged(title: str) -> None:
    # A pattern that backtracked would still be at it when the test run is given up.
    assert judge(Answer("", title, "text", "text" * 1000, "https://e.com/", "https://e.com/", {})) is None


@pytest.mark.parametrize("heading", ["[" * 300_000, "[a](" * 100_000, "[a](b" * 100_000])
def test_a_heading_of_brackets_is_judged(heading: str) -> None:
    # As above: once it took time with the square of its length.
    assert judge(Answer("", "Sign in", f"# {heading}", "text", "https://e.com/", "https://e.com/", {})) is None
