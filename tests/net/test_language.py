"""The Accept-Language of every country."""

import re

import pytest

from thresher.domain.country import COUNTRIES, RANDOM
from thresher.net.language import accept_language

NOBODY_LIVES_THERE = {"AQ", "BV", "HM", "TF"}


@pytest.mark.parametrize(
    ("country", "languages"),
    [
        ("DE", "de-DE,de;q=0.9,en;q=0.1"),
        ("US", "en-US,en;q=0.9"),
        ("CH", "de-CH,de;q=0.9,fr-CH;q=0.8,fr;q=0.7,it-CH;q=0.6,it;q=0.5,en;q=0.1"),
        ("SG", "en-SG,en;q=0.9,zh-SG;q=0.8,zh;q=0.7,ms-SG;q=0.6,ms;q=0.5,ta-SG;q=0.4,ta;q=0.3"),
        ("RS", "sr-RS,sr;q=0.9,en;q=0.1"),  # one language, although CLDR has it twice: in two scripts
    ],
)
def test_a_country_asks_in_its_official_languages_and_then_in_english(country: str, languages: str) -> None:
    assert dict(accept_language(country)) == {"Accept-Language": languages}


def test_every_country_with_people_has_a_header_that_is_well_formed_and_falls() -> None:
    for country in COUNTRIES - NOBODY_LIVES_THERE:
        ranges = accept_language(country)["Accept-Language"].split(",")
        assert re.fullmatch(rf"[a-z]{{2,3}}-{country}", ranges[0])
        weights = [float(re.fullmatch(r"[a-z]{2,3}(?:-[A-Z]{2})?;q=(0\.[1-9])", one)[1]) for one in ranges[1:]]  # type: ignore[index]
        assert weights == sorted(set(weights), reverse=True)
        assert any(re.match(r"en\b", one) for one in ranges)
        assert len(ranges) == len({one.partition(";")[0] for one in ranges})


@pytest.mark.parametrize("country", [None, RANDOM, *sorted(NOBODY_LIVES_THERE)])
def test_without_a_language_nothing_is_asked_for(country: str | None) -> None:
    assert not accept_language(country)
