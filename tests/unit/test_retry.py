"""Retry delays."""

import random

import pytest

from thresher.domain import retry


@pytest.mark.parametrize(("attempts", "base"), [(1, 2.0), (2, 8.0), (3, 32.0), (4, 128.0), (5, 300.0), (50, 300.0)])
def test_a_delay_grows_to_a_cap_and_stays_within_half_of_its_base(attempts: int, base: float) -> None:
    rand = random.Random(1)
    delays = [retry.delay(attempts, rand=rand).total_seconds() for _ in range(500)]
    assert min(delays) >= base * 0.5
    assert max(delays) <= base * 1.5
    assert max(delays) - min(delays) > base * 0.8, "they do not come back together"


@pytest.mark.parametrize("asked", [0.5, 60.0, 100_000.0])
def test_retry_after_is_never_shortened(asked: float) -> None:
    rand = random.Random(2)
    delays = [retry.delay(1, asked, rand).total_seconds() for _ in range(100)]
    assert min(delays) >= asked
    assert asked < 4 or set(delays) == {asked}
