"""The Accept-Language of a country: its official languages, as CLDR has them, in the order of how many speak them."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from babel.languages import get_official_languages

MOST = 4  # languages: no country has more, and beyond five the weights would run out
ENGLISH = "en"
LAST_RESORT = "en;q=0.1"  # for sites that have none of the country's

_NONE: Mapping[str, str] = MappingProxyType({})


@cache
def accept_language(country: str | None) -> Mapping[str, str]:
    """The header, by its name. Nothing without a country, for RANDOM, and where nobody has a language: in Antarctica.

    Each language is first asked for as it is spoken there: `de-CH,de;q=0.9,fr-CH;q=0.8,fr;q=0.7,...`.
    """
    spoken = _spoken(country) if country else []
    if not spoken:
        return _NONE
    tags = [tag for language in spoken for tag in (f"{language}-{country}", language)]
    ranges = [tags[0], *(f"{tag};q={1 - rank / 10:.1f}" for rank, tag in enumerate(tags[1:], 1))]
    if ENGLISH not in spoken:
        ranges.append(LAST_RESORT)
    return {"Accept-Language": ",".join(ranges)}


def _spoken(country: str) -> list[str]:
    """Languages without script, which the region tells. Where none is official by law, those that are in fact."""
    found = get_official_languages(country) or get_official_languages(country, de_facto=True)
    return list(dict.fromkeys(language.partition("_")[0] for language in found))[:MOST]
