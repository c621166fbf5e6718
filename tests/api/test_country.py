"""Country codes in any case, RANDOM, and nothing else."""

import pytest

from thresher.domain.country import COUNTRIES, canonical


def test_there_are_as_many_codes_as_iso_3166_1_assigns() -> None:
    assert len(COUNTRIES) == 249
    assert all(len(code) == 2 and code.isupper() and code.isascii() for code in COUNTRIES)


@pytest.mark.parametrize(("text", "code"), [("us", "US"), ("De", "DE"), ("random", "RANDOM"), ("FR", "FR")])
def test_a_code_is_taken_in_any_case(text: str, code: str) -> None:
    assert canonical(text) == code


@pytest.mark.parametrize("text", ["", "UK", "EU", "XX", "USA", "none", "u s", "ß", "\0"])
def test_what_is_no_country_is_refused(text: str) -> None:
    assert canonical(text) is None
