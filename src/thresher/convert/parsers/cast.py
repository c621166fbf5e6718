"""What a definition's types make of what was found: an element or a text to the text that counts, and that to a value."""

import re
from collections.abc import Callable
from typing import Any

from turbohtml import Element, PlainText

from thresher.convert.parsers.page import Page, tidy
from thresher.convert.parsers.values import amount
from thresher.domain.definition import Type

MOST = 2.0**53  # JSON has no larger integers
_PLAIN = PlainText(bullet="", table_cell_separator=" ")
_VERBATIM = frozenset(("script", "style", "textarea", "title", "option"))
_URLS = ("href", "src", "content")
_NO = frozenset(("false", "no", "off", "0", "none", "null", "n"))
# A minus before the first digit, unless it stands between a word and the number, as in SKU-5; a currency may be between.
_MINUS = re.compile(r"^(?:[^\d\-−]|(?<=\w)[-−])*[-−]\s?[^\w\s]?\s?\d")


def text_of(found: Element | str, kind: Type) -> str:
    """The text of what was found: what a reader sees, in one line, of a meta element its content, of an element with a
    URL that; or its inner HTML.
    """
    if isinstance(found, str):
        return tidy(found)
    if kind is Type.HTML:
        return found.inner_html.strip()
    if kind is Type.URL and (reference := next(filter(None, map(found.attr, _URLS)), None)):
        return reference.strip()
    if found.tag == "meta":
        return tidy(found.attr("content"))
    return tidy(found.text if found.tag in _VERBATIM else found.to_text(_PLAIN))


def cast(text: str, kind: Type, page: Page) -> Any:
    """The value of a text; None if it has none of this type."""
    if kind is Type.BOOLEAN:
        return text.lower() not in _NO
    return _CASTS[kind](text, page) if text else None


def _number(text: str, _: Page) -> float | None:
    found = amount(text)
    return -found if found and _MINUS.match(text[:100]) else found


def _integer(text: str, page: Page) -> int | None:
    found = _number(text, page)
    return int(found) if found is not None and found.is_integer() and abs(found) <= MOST else None


_CASTS: dict[Type, Callable[[str, Page], Any]] = {
    Type.STRING: lambda text, _: text,
    Type.HTML: lambda text, _: text,
    Type.NUMBER: _number,
    Type.INTEGER: _integer,
    Type.URL: lambda text, page: page.web(text),
}
