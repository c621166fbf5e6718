"""Ids that leave the system: they come back as they went, and cannot be guessed, counted or forged."""

import re
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresher.domain import ids

SECRET = bytes(range(32))
KEYS = st.integers(0, 2**63 - 1)
ORDS = st.integers(0, 2**31 - 1)


@given(KEYS, ORDS)
def test_a_retrieve_id_leads_back_to_its_item(key: int, ord_: int) -> None:
    text = ids.retrieve_id(SECRET, key, ord_)
    assert re.fullmatch(r"ret_[a-z2-7]{26}", text)
    assert ids.parse_retrieve_id(SECRET, text) == (key, ord_)


def test_retrieve_ids_of_neighbours_have_nothing_in_common() -> None:
    made = [ids.retrieve_id(SECRET, 1, ord_) for ord_ in range(2000)]
    assert len(set(made)) == 2000
    for place in range(4, 29):
        assert len({text[place] for text in made}) > 16, f"character {place} hardly changes"


def test_an_id_of_another_cluster_is_nothing() -> None:
    other = secrets.token_bytes(32)
    assert all(ids.parse_retrieve_id(other, ids.retrieve_id(SECRET, 1, n)) is None for n in range(200))


def test_an_item_has_one_id_and_no_other_spelling_of_it() -> None:
    for text in (ids.retrieve_id(SECRET, 1, n) for n in range(20)):
        last = [text[:-1] + letter for letter in "abcdefghijklmnopqrstuvwxyz234567"]  # two bits of it say nothing
        others = [text[:4] + text[4:].upper(), text.replace("i", "\u0131"), text.replace("s", "\u017f"), *last]
        assert [other for other in others if ids.parse_retrieve_id(SECRET, other)] == [
            other for other in others if other == text
        ]


def test_an_id_with_any_one_character_changed_is_nothing() -> None:
    good = ids.retrieve_id(SECRET, 12, 34)
    for place in range(4, 29):  # the last character has bits that say nothing
        forged = good[:place] + ("b" if good[place] == "a" else "a") + good[place + 1 :]
        assert ids.parse_retrieve_id(SECRET, forged) is None


@pytest.mark.parametrize(
    "text", ["", "ret_", "ret_123", "ret_" + "a" * 25, "ret_" + "1" * 26, "xet_" + "a" * 26, "ret_" + "ä" * 26]
)
def test_what_is_no_retrieve_id_is_nothing(text: str) -> None:
    assert ids.parse_retrieve_id(SECRET, text) is None


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert ids.parse_retrieve_id(SECRET, text) is None
    assert ids.parse_retrieve_id(SECRET, "ret_" + text) is None


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (ids.batch_id, r"batch_[a-z0-9]{12}"),
        (ids.error_id, r"error_[a-z0-9]{10}"),
        (ids.event_id, r"event_[a-z0-9]{16}"),
        (ids.api_key, r"thr_[a-z0-9]{40}"),
    ],
)
def test_random_ids_have_their_form_and_differ(make: object, pattern: str) -> None:
    assert callable(make)
    made = {make() for _ in range(500)}
    assert len(made) == 500
    assert all(re.fullmatch(pattern, text) for text in made)


def test_only_the_hash_of_a_key_is_kept() -> None:
    assert ids.key_hash("thr_a") != ids.key_hash("thr_b")
    assert len(ids.key_hash("thr_a")) == 32
