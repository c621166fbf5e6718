"""How much a process remembers, and for how long."""

from thresher.domain.failure import Failure, FailureCode
from thresher.domain.robots import Rule, Rules
from thresher.pipeline.answers import Answers, Unavailable

DEAD = Unavailable(Failure(FailureCode.CONNECT_REFUSED, "refused"))


def test_an_answer_is_good_until_its_time_is_over():
    now = [100.0]
    answers = Answers(lambda: now[0])
    answers.put("a", Rules(), 5)
    now[0] = 104.9
    assert answers.get("a") == Rules()
    now[0] = 105.0
    assert answers.get("a") is None


def test_a_new_answer_takes_the_place_of_the_old():
    answers = Answers(lambda: 0.0)
    answers.put("a", DEAD, 5)
    answers.put("a", Rules(), 5)
    assert answers.get("a") == Rules()
    assert len(answers) == 1


def test_the_oldest_answers_go_when_there_are_too_many():
    answers = Answers(lambda: 0.0, max_bytes=100_000)
    for number in range(10_000):
        answers.put(str(number), DEAD, 5)
    assert 50 < len(answers) < 200
    assert answers.get("9999") == DEAD
    assert answers.get("0") is None


def test_large_answers_take_the_room_of_many():
    answers = Answers(lambda: 0.0, max_bytes=100_000)
    for name in ("a", "b", "c"):
        answers.put(name, Rules((Rule(False, "/" * 40_000),)), 5)
    assert [answers.get(name) is not None for name in ("a", "b", "c")] == [False, True, True]


def test_an_answer_that_is_put_again_and_again_is_counted_once():
    answers = Answers(lambda: 0.0, max_bytes=10_000)
    answers.put("a", DEAD, 5)
    for _ in range(1000):
        answers.put("b", DEAD, 5)
    assert answers.get("a") == DEAD


def test_an_answer_larger_than_all_the_room_is_not_kept():
    answers = Answers(lambda: 0.0, max_bytes=10_000)
    answers.put("a", Rules((Rule(False, "/" * 40_000),)), 5)
    assert len(answers) == 0
