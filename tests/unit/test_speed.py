"""The rate of a batch, as a settle moves it and a reader sees it."""

import random

import pytest

from thresher.domain.speed import MEMORY, measured, weights


def rate_after(settles: list[tuple[float, int]]) -> float:
    """The rate after settles of (seconds since the one before, items)."""
    rate = 0.0
    for quiet, items in settles:
        kept, gain = weights(quiet)
        rate = rate * kept + items * gain
    return measured(rate, sum(quiet for quiet, _ in settles))


@pytest.mark.parametrize("often", [0.01, 0.25, 5.0])
def test_a_steady_pace_is_measured_from_the_first_settle_on_however_often_it_is_told(often: float) -> None:
    for count in (1, 10, 1000):
        assert rate_after([(often, 20)] * count) == pytest.approx(20 / often, rel=0.01)


def test_a_change_of_pace_is_seen_within_the_memory() -> None:
    slow, fast = [(1.0, 10)] * 300, [(1.0, 100)] * int(MEMORY)
    assert 60 < rate_after(slow + fast) < 75
    assert rate_after(slow + fast * 5) == pytest.approx(100, rel=0.01)


def test_settles_in_the_same_instant_and_after_days_and_with_a_clock_that_went_back_are_numbers() -> None:
    chance = random.Random(1)
    rate = rate_after([(chance.choice([-1.0, 0.0, 1e-9, 0.3, 1e7]), chance.randrange(100)) for _ in range(1000)])
    assert 0 <= rate < 1e6
