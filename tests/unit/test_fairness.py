"""Tags of fair queueing."""

from thresher.domain import fairness


def test_the_smaller_tag_is_served_first() -> None:
    assert fairness.priority(1) > fairness.priority(2)
