"""Country codes: ISO 3166-1 alpha-2, the officially assigned ones, and RANDOM for "any"; and which one an item gets."""

import random
from collections.abc import Collection, Iterable

RANDOM = "RANDOM"

# ISO 3166-1, the 249 officially assigned alpha-2 codes.
_ASSIGNED = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ
    UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_ASSIGNED.split())


def canonical(text: str) -> str | None:
    """The code in upper case (or RANDOM) for `text` in any case; None for what is no country."""
    if not text.isascii():  # "ß" in upper case would be South Sudan
        return None
    code = text.strip().upper()
    return code if code in COUNTRIES or code == RANDOM else None


def served(pools: Iterable[str]) -> frozenset[str]:
    """The countries among the names of proxy pools."""
    return COUNTRIES.intersection(pools)


def pick(wanted: str | None, there: Collection[str], before: str | None = None) -> str | None:
    """Which of the countries that are `there` an item of a batch is asked for from; None: from where every other item is.

    `wanted` is what the batch says. For RANDOM it is any of them; the one that the item had `before`, if it is still there.
    """
    if wanted != RANDOM:
        return wanted if wanted in there else None
    if before in there:
        return before
    return random.choice(sorted(there)) if there else None
