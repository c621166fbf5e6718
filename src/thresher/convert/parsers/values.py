"""Values of structured data as they are found: one or several of anything, names with their vocabulary, prices in any spelling."""

import html
import re
from typing import Any

import turbohtml

from thresher.convert.parsers.page import tidy

_PLAIN = re.compile(r"\d{1,15}(?:\.\d{1,15})?")
_NUMBER = re.compile(r"\d[\d.,'\s]{0,30}")


def several(value: Any) -> list[Any]:
    """A list of what may be one, none, or a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in several(value) if isinstance(one, dict)]


def text(value: Any) -> str | None:
    """The first text of a value, or the first number as a text."""
    for one in several(value):
        if isinstance(one, int | float) and not isinstance(one, bool):
            return str(one).removesuffix(".0")
        if isinstance(one, str) and (found := tidy(one)):
            return found
    return None


def plain(value: Any) -> str | None:
    """The first text, without the mark-up and the references that sites leave in it."""
    found = text(value)
    if found and ("<" in found or "&" in found):
        found = tidy(turbohtml.parse_fragment(html.unescape(found)).text)
    return found or None


def name(value: Any) -> str | None:
    """A thing's name, or the text that stands for it."""
    one = next(iter(several(value)), None)
    return text(one.get("name")) if isinstance(one, dict) else text(one)


def last(term: str) -> str:
    """A term without its vocabulary: Product of http://schema.org/Product."""
    return re.split(r"[/#:]", term)[-1]


def amount(value: Any) -> float | None:
    """A number as it is written anywhere: 1299, "1299.00", "1.299,00 €", "$1,299", "1 299,50"."""
    for one in several(value):
        if isinstance(one, int | float) and not isinstance(one, bool):
            return float(one)
        if isinstance(one, str) and (found := _read(one.strip())) is not None:
            return found
    return None


def _read(written: str) -> float | None:
    if _PLAIN.fullmatch(written):
        return float(written)
    match = _NUMBER.search(written[:100])
    if match is None:
        return None
    number = re.sub(r"[^\d.,]", "", match[0]).rstrip(".,")
    mark = max(number.rfind("."), number.rfind(","))
    # The last mark is the decimal one, unless it is of the only kind, and repeated or before three digits.
    alone = ("." in number) != ("," in number)
    if mark < 0 or (alone and (len(number) - mark == 4 or number.count(number[mark]) > 1)):
        return float(re.sub(r"[.,]", "", number))
    return float(re.sub(r"[.,]", "", number[:mark]) + "." + number[mark + 1 :])
