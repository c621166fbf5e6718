"""A host's lane: how many requests, how far apart, and how it recovers. The clock is the test's."""

import pytest

from thresher.domain.way import way
from thresher.engine.politeness import Lane, Manners, Task, pause_for
from thresher.storage.hosts import Known
from thresher.storage.shards import ShardItem

MANNERS = Manners(connections=4, interval=0.0, max_crawl_delay=30.0)


def lane_of(items: int, manners: Manners = MANNERS, known: Known | None = None) -> Lane:
    lane = Lane.of("a.example", manners, known, 100.0)
    for n in range(items):
        item = ShardItem(n, f"http://a.example/{n}", "")
        lane.todo.append(Task([item], way(item.ref, [])))
    return lane


def launched(lane: Lane, now: float) -> list[Task]:
    tasks = []
    while lane.ready(now):
        tasks.append(lane.launch())
    return tasks


def test_one_item_goes_ahead_until_robots_txt_is_heard_and_then_as_many_as_may():
    lane = lane_of(10)
    [first] = launched(lane, 100)
    assert lane.begin(first, None, 100)
    assert len(launched(lane, 100)) == 3
    lane.leave(first)
    assert len(launched(lane, 100)) == 1


def test_one_that_never_begins_lets_the_next_go_ahead():
    lane = lane_of(3)
    [first] = launched(lane, 100)
    lane.leave(first)
    assert len(launched(lane, 100)) == 1


def test_a_crawl_delay_is_kept_between_beginnings_however_long_requests_take():
    lane = lane_of(10)
    [first] = launched(lane, 100)
    assert lane.begin(first, 5.0, 101)
    assert launched(lane, 105.9) == []
    assert lane.wait(102) == 4
    [second] = launched(lane, 106)
    assert launched(lane, 106) == [], "the second has not begun yet, and its moment counts"
    assert lane.begin(second, 5.0, 108)
    assert launched(lane, 112.9) == []
    assert not lane.begin(first, 5.0, 109), "a redirect at the same host is a request, too"


@pytest.mark.parametrize(("asked", "cap", "kept"), [(3600.0, 30.0, 30.0), (2.0, 30.0, 2.0), (2.0, 0.0, 0.0)])
def test_a_crawl_delay_is_cut_to_the_cap(asked: float, cap: float, kept: float):
    lane = lane_of(1, Manners(4, 0.0, cap))
    [task] = launched(lane, 100)
    lane.begin(task, asked, 100)
    assert lane.wait(100) == kept


def test_of_rate_and_crawl_delay_the_slower_counts():
    lane = lane_of(1, Manners(4, 2.0, 30.0))
    [task] = launched(lane, 100)
    lane.begin(task, 0.5, 100)
    assert lane.wait(100) == 2.0


def test_requests_that_are_refused_together_are_one_strike():
    lane = lane_of(10)
    [first] = launched(lane, 100)
    lane.begin(first, None, 100)
    launched(lane, 100)
    for _ in range(4):
        lane.refused(None, 101)
    assert (lane.strikes, lane.wait(101), lane.limit) == (1, 30.0, 1)


def test_a_host_that_keeps_refusing_is_left_alone_for_longer_each_time():
    lane = lane_of(0)
    now, waits = 100.0, []
    for _ in range(8):
        lane.refused(None, now)
        waits.append(lane.wait(now))
        now += waits[-1]
    assert waits == [30, 60, 120, 240, 480, 960, 1800, 1800]


def test_a_longer_pause_stays_and_what_a_host_says_counts_more_than_strikes():
    lane = lane_of(0)
    lane.refused(600.0, 100)
    lane.refused(5.0, 101)
    assert lane.wait(101) == 599
    lane.refused(5.0, 800)
    assert lane.wait(800) == 5


@pytest.mark.parametrize(("said", "seconds"), [(0.0, 1.0), (17.0, 17.0), (10.0**9, 21_600.0), (None, 30.0)])
def test_a_pause_is_what_the_host_says_within_reason(said: float | None, seconds: float):
    assert pause_for(said) == seconds


def test_after_a_pause_connections_double_with_each_round_of_answers():
    lane = lane_of(0, known=Known(0.0, 1, 3))
    limits = []
    for _ in range(8):
        limits.append(lane.limit)
        lane.answered(100)
    assert limits == [1, 2, 2, 4, 4, 4, 4, 4]
    assert lane.strikes == 0
    assert (lane.note(100).connections, lane.note(100).strikes) == (None, 0)


def test_answers_to_what_began_before_a_pause_are_no_recovery():
    lane = lane_of(0)
    lane.refused(30.0, 100)
    for _ in range(3):
        lane.answered(101)
    assert (lane.limit, lane.strikes) == (1, 1)
    lane.answered(131)
    assert lane.limit == 2


def test_what_is_known_of_a_host_holds_from_the_first_request_on():
    lane = lane_of(5, known=Known(7.0, 2, 1))
    assert launched(lane, 106.9) == []
    [first] = launched(lane, 107)
    lane.begin(first, None, 107)
    assert len(launched(lane, 107)) == 1


def test_a_note_tells_what_is_left_of_the_pause():
    lane = lane_of(0)
    lane.refused(100.0, 100)
    note = lane.note(130)
    assert (note.paused, note.next, note.connections, note.strikes) == (70, 70, 1, 1)
