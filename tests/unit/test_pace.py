"""The rate that a progress bar shows."""

from thresher.cli.client.pace import WINDOW, Pace


def test_nothing_is_said_of_a_pace_before_there_are_two_looks() -> None:
    pace = Pace()
    assert pace.rate is None
    pace.seen(0.0, 5)
    assert pace.rate is None
    assert pace.left(10) is None


def test_a_steady_pace_gives_its_rate_and_the_time_that_is_left() -> None:
    pace = Pace()
    for second in range(5):
        pace.seen(float(second), second * 20)
    assert pace.rate == 20
    assert pace.left(100) == 5


def test_what_was_long_ago_does_not_count() -> None:
    pace = Pace()
    for second in range(200):
        pace.seen(float(second), second * 100 if second < 100 else 10_000 + second - 100)
    assert pace.rate is not None
    assert 0.9 < pace.rate < 1.2
    for second in range(200, 202 + int(WINDOW)):
        pace.seen(float(second), 10_099)
    assert pace.rate == 0
    assert pace.left(5) is None
