"""Metadata: the documented limits, in the documented words."""

import pytest

from thresher.domain.metadata import clean, merged
from thresher.domain.problem import Problem, ProblemCode


def test_strings_stay_numbers_and_booleans_become_strings_and_null_is_left_out() -> None:
    given = {"a": "x", "b": 3, "c": 3.14, "d": True, "e": False, "f": None, "g": ""}
    assert clean(given, "metadata") == {"a": "x", "b": "3", "c": "3.14", "d": "true", "e": "false", "g": ""}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (5.0, "5"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (0.0001, "0.0001"),
        (-1.5e-6, "-0.0000015"),
        (1.5e-7, "1.5e-7"),
        (1e-10, "1e-10"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e308, "1e+308"),
        (2**64 - 1, "18446744073709551615"),
        (-(2**63), "-9223372036854775808"),
    ],
)
def test_numbers_are_written_as_olostep_writes_them_and_integers_keep_every_digit(given: float, kept: str) -> None:
    assert clean({"n": given}, "metadata") == {"n": kept}


def test_a_change_adds_overwrites_and_deletes_and_leaves_the_rest() -> None:
    old = {"a": "1", "b": "2", "c": "3", "d": "4"}
    changes = {"b": True, "c": None, "d": "", "e": 5, "unknown": None}
    assert merged(old, changes, "metadata") == {"a": "1", "b": "true", "e": "5"}
    assert merged(old, {}, "metadata") == old
    assert merged(old, None, "metadata") == merged(old, "", "metadata") == {}


def test_the_number_of_keys_counts_after_the_change() -> None:
    full = {f"k{n}": "v" for n in range(50)}
    assert len(merged(full, {"k0": None, "new": 1}, "metadata")) == 50
    assert merged(full, dict.fromkeys(full), "metadata") == {}
    with pytest.raises(Problem, match="You provided 51 keys"):
        merged(full, {"new": 1}, "metadata")


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_nothing_is_no_metadata(nothing: object) -> None:
    assert clean(nothing, "metadata") == {}


def test_the_limits_themselves_are_allowed() -> None:
    most = {f"{n:040}": "v" * 500 for n in range(50)}
    assert clean(most, "metadata") == most


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({f"k{n}": "v" for n in range(51)}, "Metadata can have a maximum of 50 keys. You provided 51 keys."),
        ({"k" * 41: "v"}, f'Metadata key "{"k" * 41}" exceeds 40 character limit.'),
        ({"items[0]": "v"}, 'Metadata key "items[0]" cannot contain square brackets ([ or ]).'),
        ({"description": "v" * 501}, 'Metadata value for key "description" exceeds 500 character limit.'),
        ({"count": {}}, 'Metadata value for key "count" must be a string. Got object.'),
        ({"count": []}, 'Metadata value for key "count" must be a string. Got array.'),
        ({"count": {"n": {}}}, 'Metadata value for key "count" must be a string. Got object.'),
        (["a"], "Metadata must be an object. Got array."),
        ("a", "Metadata must be an object. Got string."),
        (1, "Metadata must be an object. Got number."),
        (False, "Metadata must be an object. Got boolean."),
        ({"a\0": "v"}, "Metadata keys cannot contain NUL characters."),
        ({"a": "v\0"}, 'Metadata value for key "a" cannot contain NUL characters.'),
    ],
)
def test_what_is_refused_is_refused_in_the_documented_words(given: object, text: str) -> None:
    with pytest.raises(Problem) as caught:
        clean(given, "metadata")
    assert (caught.value.code, caught.value.detail) == (ProblemCode.VALIDATION_ERROR, text)


@pytest.mark.parametrize("value", [None, ""])
def test_a_key_is_checked_though_its_value_leaves_it_out_or_deletes_it(value: object) -> None:
    for change in (clean, lambda pairs, where: merged({}, pairs, where)):
        with pytest.raises(Problem, match="square brackets"):
            change({"items[0]": value}, "metadata")


def test_the_place_of_an_items_metadata_is_named() -> None:
    with pytest.raises(Problem) as caught:
        clean({"[": "v"}, "items[3].metadata")
    assert caught.value.detail.startswith("items[3].metadata: Metadata key")
