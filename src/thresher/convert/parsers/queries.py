"""Selectors and patterns of a definition, compiled: CSS and XPath 1.0 by turbohtml, regular expressions by RE2.

RE2 takes a time that grows with the text alone, whatever the pattern, which is why a pattern with a backreference or a
look-around is none here. A selector has no such bound: what one takes too long for dies with the converter child. But it is
tried where it is declared, too, beside everybody's requests: so predicates are nested a few levels deep, as each multiplies the
time, and functions that make texts longer than what they are given are none here.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import re2
import turbohtml
from turbohtml import Document, Element, SelectorSyntaxError, XPath

Found = Element | str
Query = Callable[[Document | Element], Sequence[Found]]

_MEMORY = 2**20  # bytes of a compiled pattern, which bound the time to compile one to some 30 ms
_SUFFIX = re.compile(r"^(.*?)\s*::(?:(text)|attr\(\s*([^\s()]{1,100})\s*\))$", re.DOTALL)
_DEEPEST = 3  # predicates inside of each other
_LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'")
_FUNCTION = re.compile(r"([^\W\d][\w.-]*(?:::?[^\W\d][\w.-]*)*)\s*\(")
# XPath 1.0, 2.3 and 4: the node tests and the core library; and the words that a parenthesis may follow. The library has more
# functions, of EXSLT and of XPath 2.0.
_KNOWN = re.compile(
    "comment|text|processing-instruction|node|last|position|count|id|local-name|namespace-uri|name|string|concat|starts-with"
    "|contains|substring(?:-before|-after)?|string-length|normalize-space|translate|boolean|not|true|false|lang|number|sum"
    "|floor|ceiling|round|and|or|div|mod"
)
_PROBE = turbohtml.parse("<title>a</title><div id=a class=a><p>a</p></div>")


class BadQuery(ValueError):
    """No selector, or no pattern; the message says why, for the author of the definition."""


def css(text: str) -> Query:
    """What a CSS selector finds inside of a node; `::attr(name)` of it, or `::text`, the text outside of inner elements.

    With nothing before them these are the node's own. Raises BadQuery.
    """
    match = _SUFFIX.match(text)
    selector = match[1] if match else text
    if selector or not match:
        try:
            _PROBE.select(selector)
        except SelectorSyntaxError as error:
            raise BadQuery(_reason(error)) from None
    take = _taker(match)

    def run(node: Document | Element) -> Sequence[Found]:
        elements = node.select(selector) if selector else [itself(node)]
        return elements if take is None else [value for one in elements if (value := take(one)) is not None]

    return run


def _taker(match: re.Match[str] | None) -> Callable[[Element], str | None] | None:
    if match is None:
        return None
    if match[2]:
        return _own_text
    name = match[3].lower()
    return lambda element: element.attr(name)


def _own_text(element: Element) -> str:
    return "".join(node.data for node in element.children if isinstance(node, turbohtml.Text))


def xpath(text: str) -> Query:
    """What an XPath 1.0 expression finds from a node; a number, a text or a truth is found once. Raises BadQuery."""
    _bounded(text)
    try:
        expression = XPath(text)
        expression(_PROBE)  # functions and prefixes are looked up when they are met
    except (ValueError, TypeError) as error:
        raise BadQuery(_reason(error)) from None

    def run(node: Document | Element) -> list[Found]:
        value = expression(node)
        if isinstance(value, list):
            return [one if isinstance(one, Element | str) else one.text for one in value]
        if isinstance(value, float):
            return [f"{value:.15g}"] if math.isfinite(value) else []
        return [str(value).lower() if isinstance(value, bool) else value]

    return run


def _bounded(text: str) -> None:
    """Raises BadQuery for an expression that may take for ever, or make a text of any length, on the smallest page."""
    bare = _LITERAL.sub("''", text)
    depth = 0
    for bracket in re.findall(r"[\[\]]", bare):
        depth += 1 if bracket == "[" else -1
        if depth > _DEEPEST:
            raise BadQuery(f"predicates are nested deeper than {_DEEPEST} levels, the limit")
    for match in _FUNCTION.finditer(bare):
        name = match[1].rpartition("::")[2]  # without an axis
        if _KNOWN.fullmatch(name) is None:
            raise BadQuery(f"{name} is no function of XPath 1.0")


def pattern(text: str) -> Any:
    """A compiled pattern, with the interface of Python's. Raises BadQuery."""
    options = re2.Options()
    options.max_mem, options.log_errors = _MEMORY, False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise BadQuery(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)) from None


def itself(node: Document | Element) -> Element:
    """The element that a node is, of a document its root."""
    root = node.root if isinstance(node, Document) else node
    if root is None:
        raise BadQuery("the page has no element")
    return root


def _reason(error: Exception) -> str:
    """What the library says, without the whole selector before it."""
    return str(error).rpartition('": ')[2][:200]
