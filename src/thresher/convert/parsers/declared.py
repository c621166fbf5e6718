"""A page read by a definition of a caller's own (domain/definition.py), with an account of what matched and what did not.

Runs in the converter child. `faults` says at a definition's creation what this machine would not be able to run.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from turbohtml import Document, Element

from thresher.convert.parsers import queries
from thresher.convert.parsers.cast import cast, text_of
from thresher.convert.parsers.page import Page
from thresher.convert.parsers.queries import BadQuery, Found, Query
from thresher.domain import definition
from thresher.domain.definition import Definition, Field, Loc, Type
from thresher.domain.failure import FailureCode, ItemFailed

MAX_VALUES = 10_000  # of a page, in lists and out of them
MAX_TEXT = 1_000_000  # characters of one value
SECONDS = 5.0  # of the processor, looked at between queries and matches: a single query has as long as the page
_SHOWN = 60  # characters of a text that was of no use
_LONG = 500  # characters of a reason

Node = Document | Element


@dataclass(slots=True)
class Match:
    """What became of a field on a page: by which `selector`, how many elements or texts it `matched`, how many `values`

    these gave; `reason` says why there is none.
    """

    field: str
    selector: str | None = None
    matched: int = 0
    values: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Rule:
    """A field, ready to run. `ways` are its selectors by their text."""

    field: Field
    ways: tuple[tuple[str | None, Query], ...]
    pattern: Any
    inner: "tuple[_Rule, ...]"


def faults(wanted: Definition) -> list[tuple[Loc, str]]:
    """What of a definition does not compile: where in the JSON, and why."""
    return [fault for loc, one in wanted.every() for fault in _faults_of(loc, one)]


def _faults_of(loc: Loc, one: Field) -> Iterator[tuple[Loc, str]]:
    kinds: tuple[tuple[str, str, Sequence[str], Callable[[str], Any]], ...] = (
        ("css", "CSS selector", one.css, queries.css),
        ("xpath", "XPath 1.0 expression", one.xpath, queries.xpath),
        ("regex", "RE2 pattern", (one.regex,) if one.regex else (), queries.pattern),
    )
    for key, name, texts, build in kinds:
        for text in texts:
            try:
                build(text)
            except BadQuery as error:
                yield (*loc, key), f"{text[:_SHOWN]!r} is no {name}: {error}"


def read(text: str, page: Page, matches: list[dict[str, Any]]) -> dict[str, Any]:
    """What the definition of this JSON makes of a page. What became of every field is added to `matches`, also if it

    raises ItemFailed: parser_no_match, parser_failed.
    """
    try:
        rules = _compiled(text)
    except (BadQuery, definition.InvalidDefinition) as error:
        raise ItemFailed(FailureCode.PARSER_FAILED, f"This version cannot run the definition: {error}") from None
    reading = _Reading(page, rules)
    try:
        return reading.whole(rules)
    finally:
        matches += reading.account()


@lru_cache(maxsize=16)
def _compiled(text: str) -> tuple[_Rule, ...]:
    return tuple(map(_rule, definition.of_text(text).fields))


def _rule(one: Field) -> _Rule:
    ways = [(text, queries.css(text)) for text in one.css] + [(text, queries.xpath(text)) for text in one.xpath]
    pattern = queries.pattern(one.regex) if one.regex else None
    return _Rule(one, tuple(ways) or ((None, _node),), pattern, tuple(map(_rule, one.fields)))


def _node(node: Node) -> Sequence[Found]:
    return [queries.itself(node)]


class _Reading:
    """One page being read. Runs once."""

    def __init__(self, page: Page, rules: Sequence[_Rule]) -> None:
        self._page = page
        self._left = MAX_VALUES
        self._end = time.process_time() + SECONDS
        self.matches: dict[str, Match] = {}
        self._expect(rules)

    def _expect(self, rules: Sequence[_Rule]) -> None:
        for rule in rules:
            self.matches[rule.field.place] = Match(rule.field.place)
            self._expect(rule.inner)

    def account(self) -> list[dict[str, Any]]:
        """The matches of every field, in their order."""
        for match in self.matches.values():
            match.reason = None if match.values else match.reason
        return [asdict(match) for match in self.matches.values()]

    def whole(self, rules: Sequence[_Rule]) -> dict[str, Any]:
        """The object. Raises ItemFailed: parser_no_match, parser_failed."""
        made, missing = self._object(rules, self._page.tree)
        if missing:
            why = "; ".join(f"{one} is required, and {self.matches[one].reason or 'there is none'}" for one in missing)
            raise ItemFailed(FailureCode.PARSER_NO_MATCH, why[:_LONG])
        if made is None:
            names = ", ".join(rule.field.place for rule in rules)
            raise ItemFailed(FailureCode.PARSER_NO_MATCH, f"No field has a value on this page: {names}"[:_LONG])
        return made

    def _object(self, rules: Sequence[_Rule], node: Node) -> tuple[dict[str, Any] | None, list[str]]:
        """The object of a node, None if none of its fields has a value; and which of those that are required have none."""
        made: dict[str, Any] = {}
        missing: list[str] = []
        found = False
        for rule in rules:
            values = self._values(rule, node)
            found = found or bool(values)
            if not values and rule.field.required:
                missing.append(rule.field.place)
            made[rule.field.name] = values if rule.field.list else values[0] if values else _default(rule.field)
        return made if found else None, missing

    def _values(self, rule: _Rule, node: Node) -> list[Any]:
        """All values of a field, or the first, by the first of its selectors that gives one."""
        match, most = self.matches[rule.field.place], None if rule.field.list else 1
        for text, query in rule.ways:
            found = self._run(rule, query, node)
            if values := [*islice(self._made(rule, found), most)]:
                match.selector, match.reason = text, None
                match.matched += len(found)
                match.values += len(values)
                return values
            match.matched += len(found)
            if not found and not match.reason:
                match.reason = f"nothing matches {' or '.join(str(tried) for tried, _ in rule.ways)}"[:_LONG]
        return []

    def _run(self, rule: _Rule, query: Query, node: Node) -> Sequence[Found]:
        self._in_time(rule)
        try:
            return query(node)
        except (ValueError, TypeError) as error:
            raise ItemFailed(FailureCode.PARSER_FAILED, f"{rule.field.place}: {error}"[:_LONG]) from None

    def _made(self, rule: _Rule, found: Sequence[Found]) -> Iterator[Any]:
        for one in found:
            for value in self._objects(rule, one) if rule.inner else self._scalars(rule, one):
                self._left -= 1
                if self._left < 0:
                    raise self._beyond(rule, f"more than {MAX_VALUES} values on the page, the limit")
                yield value

    def _objects(self, rule: _Rule, found: Found) -> Iterator[dict[str, Any]]:
        """The object of an element. One without what it must have is passed over, as is one in which nothing was found."""
        match = self.matches[rule.field.place]
        if isinstance(found, str):
            match.reason = "it selects texts, and fields are of elements"
            return
        made, missing = self._object(rule.inner, found)
        if made is not None and not missing:
            yield made
        else:
            match.reason = f"without {', '.join(missing)}" if missing else "none of its fields has a value"

    def _scalars(self, rule: _Rule, found: Found) -> Iterator[Any]:
        kind, match = rule.field.type, self.matches[rule.field.place]
        text = text_of(found, kind)
        if len(text) > MAX_TEXT:
            raise self._beyond(rule, f"a text of {len(text)} characters; the limit is {MAX_TEXT}")
        empty = True
        for part in [text] if rule.pattern is None else _parts(rule.pattern, text):
            empty = False
            self._in_time(rule)  # what gives no value is counted nowhere
            if (value := cast(part, kind, self._page)) is not None:
                yield value
            else:
                match.reason = f"{part[:_SHOWN]!r} is no {kind}" if part else "what matches is empty"
        if empty:
            match.reason = f"the regex finds nothing in {text[:_SHOWN]!r}"

    def _in_time(self, rule: _Rule) -> None:
        if time.process_time() > self._end:
            raise self._beyond(rule, f"not read after {SECONDS:g} s of processor time")

    def _beyond(self, rule: _Rule, what: str) -> ItemFailed:
        return ItemFailed(FailureCode.PARSER_FAILED, f"{rule.field.place}: {what}")


def _parts(pattern: Any, text: str) -> Iterator[str]:
    """What a pattern takes of a text, each time that it matches: its first group, if it has one, else all of it."""
    group = 1 if pattern.groups else 0
    return (match.group(group).strip() for match in pattern.finditer(text) if match.group(group) is not None)


def _default(one: Field) -> Any:
    return False if one.type is Type.BOOLEAN and one.default is None and not one.fields else one.default
