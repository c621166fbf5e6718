"""Remedies: a sentence for every code, which is about the item."""

import pytest

from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.remedy import Case, remedy

CASE = Case("https://a.example/x{0}", "a.example", 404, 2, "batch_b")


@pytest.mark.parametrize("code", FailureCode)
def test_every_code_has_a_remedy_that_is_about_the_item_and_says_how_to_retry_where_that_can_help(
    code: FailureCode,
) -> None:
    text = remedy(code, CASE)
    assert text.endswith(".")
    assert "{url}" not in text
    assert "{host}" not in text
    how = f"POST /v1/batches/batch_b/retry?codes={code} "
    assert (how in text) == FAILURES[code].retryable
    about_us = {FailureCode.INTERNAL, FailureCode.CANCELLED, FailureCode.CONVERSION_LIMIT}
    assert code in about_us or CASE.url in text or CASE.host in text


@pytest.mark.parametrize(
    ("code", "status", "tries", "said"),
    [
        (FailureCode.HTTP_4XX, 404, 1, "a.example has no such page (404)"),
        (FailureCode.HTTP_4XX, 302, 1, "a.example redirects it (302), and does not say where to."),
        (FailureCode.HTTP_4XX, 418, 1, "says with 418"),
        (FailureCode.HTTP_5XX, 503, 4, "(503) in 4 tries."),
        (FailureCode.TIMEOUT, None, 1, "did not finish in time when it was tried."),
        (FailureCode.CANCELLED, None, 0, "cancelled before it was tried."),
    ],
)
def test_a_remedy_has_the_status_and_how_often_it_was_tried(
    code: FailureCode, status: int | None, tries: int, said: str
) -> None:
    assert said in remedy(code, Case(CASE.url, CASE.host, status, tries, "batch_b"))
