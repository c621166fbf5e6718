"""What is left of a shard, grouped into new ones."""

from datetime import UTC, datetime, timedelta
from typing import Any

from thresher.domain.url import bucket
from thresher.engine.rests import rests_of
from thresher.storage.shards import Claim, ShardItem

AT = datetime(2025, 1, 1, tzinfo=UTC)
HERE = bucket("a.example")
TIMEOUT: dict[str, Any] = {"code": "timeout"}


def claim_of(items: list[ShardItem]) -> Claim:
    return Claim(1, 1, HERE, 1, "batch_x", {}, AT, AT, items)


def item(ord_: int, *attempts: dict[str, Any], host: str = "a.example") -> ShardItem:
    return ShardItem(ord_, f"http://{host}/{ord_}", f"c{ord_}", list(attempts))


def test_what_was_never_begun_starts_its_deadline_anew():
    items = [item(0), item(1), item(2, TIMEOUT)]
    fresh, begun = rests_of(claim_of(items), items, {}, {})
    assert (fresh.ords, fresh.dispatched_at, fresh.carry, fresh.delay) == ([0, 1], None, None, timedelta(0))
    assert (begun.ords, begun.dispatched_at, begun.carry) == ([2], AT, {"2": [TIMEOUT]})
    assert {fresh.host, begun.host} == {"a.example"}
    assert {fresh.bucket, begun.bucket} == {HERE}


def test_items_of_a_waiting_host_go_apart_with_its_delay():
    items = [item(0), item(1, host="www.a.example"), item(2)]
    paused, free = rests_of(claim_of(items), items, {}, {"a.example": 30.0, "www.a.example": 0.0})
    assert (paused.ords, paused.delay, paused.host) == ([0, 2], timedelta(seconds=30), "a.example")
    assert (free.ords, free.delay, free.host) == ([1], timedelta(0), "www.a.example")


def test_retries_of_one_round_go_together_and_wait_for_the_last_of_them_and_for_the_host():
    items = [item(0, TIMEOUT), item(1, TIMEOUT), item(2, TIMEOUT, TIMEOUT)]
    first, second = rests_of(claim_of(items), items, {0: 2.0, 1: 3.0, 2: 8.0}, {"a.example": 5.0})
    assert (first.ords, first.delay) == ([0, 1], timedelta(seconds=5))
    assert (second.ords, second.delay) == ([2], timedelta(seconds=8))


def test_a_retry_waits_for_no_other_host_and_not_for_one_that_comes_much_later():
    other, third = "b.a.example.com", "c.a.example.com"
    assert bucket(other) == bucket(third)
    items = [item(0, TIMEOUT, host=other), item(1, TIMEOUT, host=third), item(2, TIMEOUT, host=third)]
    rests = rests_of(claim_of(items), items, {0: 300.0, 1: 2.0, 2: 500.0}, {other: 300.0})
    assert [(rest.ords, rest.delay.total_seconds()) for rest in rests] == [([0], 300), ([1], 2), ([2], 500)]


def test_what_was_redirected_goes_to_the_bucket_of_its_new_host():
    move = {"code": "moved", "to": "http://elsewhere.org/x", "redirects": ["http://a.example/0"]}
    items = [item(0, move), item(1)]
    moved, stays = rests_of(claim_of(items), items, {}, {})
    assert (moved.ords, moved.bucket, moved.host) == ([0], bucket("elsewhere.org"), "elsewhere.org")
    assert (moved.dispatched_at, moved.carry) == (None, {"0": [move]}), "it has not been begun there"
    assert (stays.ords, stays.bucket) == ([1], HERE)
