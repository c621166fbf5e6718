"""Tags of fair queueing."""

from hypothesis import given
from hypothesis import strategies as st

from thresher.domain import fairness


def test_a_batch_starts_at_the_clock_and_its_shards_follow_at_its_weight() -> None:
    assert fairness.tags(7, 4, 3) == [7, 10, 13, 16]


def test_an_account_without_a_running_batch_weighs_as_much_as_one() -> None:
    assert fairness.tags(0, 3, 0) == [0, 1, 2]


@given(st.integers(0, fairness.REBASE_AT), st.integers(0, 2000), st.integers(0, 1_000_000))
def test_tags_rise_and_their_priorities_fit_into_32_bits(clock: int, shards: int, weight: int) -> None:
    tags = fairness.tags(clock, shards, weight)
    assert len(tags) == shards
    assert tags == sorted(tags)
    assert all(-(2**31) < fairness.priority(tag) <= 0 for tag in tags)


def test_the_smaller_tag_is_served_first() -> None:
    assert fairness.priority(1) > fairness.priority(2)
