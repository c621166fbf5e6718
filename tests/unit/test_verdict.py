"""What a status means, and Retry-After in both of its forms."""

import email.utils
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresher.domain.failure import FailureCode, ItemFailed
from thresher.pipeline.verdict import check_status, parse_retry_after


def _verdict(status: int, retry_after: float | None = None) -> FailureCode | None:
    try:
        check_status(status, retry_after)
    except ItemFailed as failed:
        return failed.failure.code
    return None


@pytest.mark.parametrize("status", [200, 201, 203, 204, 206, 299])
def test_every_2xx_is_a_success(status: int):
    assert _verdict(status) is None


def test_the_detail_names_the_status():
    with pytest.raises(ItemFailed, match="418"):
        check_status(418, None)


@pytest.mark.parametrize("status", [429, 430])
def test_too_many_requests_is_rate_limited_with_or_without_retry_after(status: int):
    assert _verdict(status) is FailureCode.RATE_LIMITED
    assert _verdict(status, 10.0) is FailureCode.RATE_LIMITED


def test_503_is_rate_limited_only_where_the_server_says_when_to_return():
    assert _verdict(503, 0.0) is FailureCode.RATE_LIMITED
    assert _verdict(503) is FailureCode.HTTP_5XX


@pytest.mark.parametrize("status", [500, 502, 504, 520, 599, 999])
def test_other_server_errors_are_server_errors(status: int):
    assert _verdict(status, 10.0) is FailureCode.HTTP_5XX


@pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 410, 451, 499])
def test_what_is_neither_success_nor_server_error_is_ours_to_change(status: int):
    assert _verdict(status, 10.0) is FailureCode.HTTP_4XX


@pytest.mark.parametrize(("value", "seconds"), [("120", 120.0), ("0", 0.0), (" 7 ", 7.0), ("9" * 400, 999_999_999.0)])
def test_retry_after_in_seconds(value: str, seconds: float):
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_retry_after_in_each_of_the_three_date_forms(form: str, monkeypatch: pytest.MonkeyPatch):
    # The last form has no zone: it is in UTC wherever this runs.
    monkeypatch.setitem(os.environ, "TZ", "America/New_York")
    time.tzset()
    try:
        seconds = parse_retry_after(time.strftime(form, time.gmtime(time.time() + 3600)))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert seconds is not None
    assert 3590 < seconds <= 3600


def test_a_date_in_the_past_means_now():
    assert parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0.0


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "soon",
        "-5",
        "1.5",
        "٣",
        "1e3",
        "Mon, 01 Jan 99999999999999 00:00:00 GMT",
        "\0",
        "Mon, 41 Jan 2099",
    ],
)
def test_what_is_neither_seconds_nor_a_date_is_no_retry_after(value: str | None):
    assert parse_retry_after(value) is None


_NUMBER = st.integers(-(10**20), 10**20).map(str)
_DATES = st.tuples(_NUMBER, st.sampled_from(["Jan", "Feb", "x"]), _NUMBER, _NUMBER, _NUMBER).map(
    lambda parts: "Mon, {} {} {} {}:00:00 {}".format(*parts)
)


@given(st.one_of(st.text(max_size=60), _DATES))
def test_parsing_never_raises_and_never_goes_back_in_time(value: str):
    seconds = parse_retry_after(value)
    assert seconds is None or seconds >= 0


@given(st.integers(-(10**6), 10**9))
def test_every_date_to_come_is_as_far_away_as_it_says(offset: int):
    now = time.time()
    seconds = parse_retry_after(email.utils.formatdate(now + offset, usegmt=True))
    assert seconds == pytest.approx(max(0, offset), abs=5)
