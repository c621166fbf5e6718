"""A parser of a caller's own, as JSON: which fields of a page, and how each is found. Checked here, every fault with its place.

Whether a selector or a pattern is one, the libraries that run it say (convert/parsers/queries.py); what is made of a page,
convert/parsers/declared.py. No code is in a definition, and nothing that loops.
"""

import math
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

MAX_BYTES = 64 * 1024  # of a definition as JSON
MAX_FIELDS = 100  # with those inside of others
MAX_DEPTH = 5
MAX_SELECTORS = 10  # of a field
MAX_SELECTOR = 1000  # characters
MAX_REGEX = 500  # characters
MAX_NAME = 64
MAX_DESCRIPTION = 500
MAX_DEFAULT = 1000

_MOST = 20  # faults that are told at once
_KEYS = ("css", "xpath", "regex", "type", "list", "fields", "required", "default", "description")

Loc = tuple[str | int, ...]
Json = dict[str, Any]


class Type(StrEnum):
    """What a value is made into. What cannot be is no value."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    URL = "url"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class Field:
    """One key of the result. `css` or `xpath` are selectors, tried in order; without any it is what the fields around it select.

    `fields` make it an object, which `list` makes several of. `place` says where it stands: offers[].price.
    """

    name: str
    place: str
    css: tuple[str, ...] = ()
    xpath: tuple[str, ...] = ()
    regex: str | None = None
    type: Type = Type.STRING
    list: bool = False
    fields: "tuple[Field, ...]" = ()
    required: bool = False
    default: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole one. `fields` is never empty."""

    fields: tuple[Field, ...]
    description: str = ""

    def every(self) -> Iterator[tuple[Loc, Field]]:
        """Every field, those inside of others included, with where it stands in the JSON."""
        stack: list[tuple[Loc, Field]] = [(("fields", field.name), field) for field in reversed(self.fields)]
        while stack:
            loc, field = stack.pop()
            yield loc, field
            stack += [((*loc, "fields", inner.name), inner) for inner in reversed(field.fields)]


class InvalidDefinition(Exception):
    """`faults`: where in the JSON, and what is wrong there."""

    def __init__(self, faults: list[tuple[Loc, str]]) -> None:
        super().__init__(faults)
        self.faults = faults


def read(value: Any) -> Definition:
    """The definition that a JSON value is. Raises InvalidDefinition."""
    return _Reader().definition(value)


def text_of(value: Json) -> str:
    """The JSON of a definition as it is kept and compared: its keys in the order that its author gave them."""
    return orjson.dumps(value).decode()


def of_text(text: str) -> Definition:
    """The definition that `text_of` wrote."""
    return read(orjson.loads(text))


def schema(definition: Definition) -> Json:
    """JSON Schema (2020-12) of what it makes of a page."""
    about = {"description": definition.description} if definition.description else {}
    return {"type": "object", **about, **_properties(definition.fields)}


def _properties(fields: tuple[Field, ...]) -> Json:
    properties = {field.name: _schema(field) for field in fields}
    return {"properties": properties, "required": [*properties], "additionalProperties": False}


def _schema(field: Field) -> Json:
    about = {"description": field.description} if field.description else {}
    if field.fields:
        one: Json = {"type": "object", **_properties(field.fields)}
    else:
        kinds = {Type.NUMBER: "number", Type.INTEGER: "integer", Type.BOOLEAN: "boolean"}
        one = {"type": kinds.get(field.type, "string")}
    if field.list:
        return {"type": "array", **about, "items": one}
    always = field.required or field.default is not None or field.type is Type.BOOLEAN
    return one | about | ({} if always else {"type": [one["type"], "null"]})


class _Enough(Exception):
    """There are as many faults as are told."""


class _Reader:
    """Reads one definition, gathering what is wrong."""

    def __init__(self) -> None:
        self._faults: list[tuple[Loc, str]] = []
        self._fields = 0

    def definition(self, value: Any) -> Definition:
        found = Definition(())
        with suppress(_Enough):
            found = self._definition(value)
        if self._faults:
            raise InvalidDefinition(self._faults)
        return found

    def _definition(self, value: Any) -> Definition:
        if not isinstance(value, dict):
            self._fault((), "must be an object with fields")
            return Definition(())
        if fault := _too_large(value):
            self._fault((), fault)
            return Definition(())
        self._known((), value, ("description", "fields"))
        about = self._text((), value, "description", MAX_DESCRIPTION) or ""
        return Definition(self._inner((), value.get("fields"), "", 1), about)

    def _inner(self, loc: Loc, value: Any, place: str, depth: int) -> tuple[Field, ...]:
        loc = (*loc, "fields")
        if not isinstance(value, dict) or not value:
            self._fault(loc, "must be an object with at least one field")
            return ()
        if depth > MAX_DEPTH:
            self._fault(loc, f"nested deeper than {MAX_DEPTH} levels, the limit")
            return ()
        self._fields += len(value)
        if self._fields > MAX_FIELDS:
            self._fault(loc, f"more than {MAX_FIELDS} fields, the limit of a definition")
            return ()
        return tuple(self._field((*loc, name), name, one, place, depth) for name, one in value.items())

    def _field(self, loc: Loc, name: str, value: Any, place: str, depth: int) -> Field:
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            self._fault(loc, f"the name of a field has 1 to {MAX_NAME} printable characters")
        if isinstance(value, str):
            value = {"css": value}
        if not isinstance(value, dict):
            self._fault(loc, "must be a CSS selector, or an object with css, xpath, regex, type and so on")
            return Field(name, place + name)
        self._known(loc, value, _KEYS)
        many = self._flag(loc, value, "list")
        where = f"{place}{name}{'[]' if many else ''}"
        inner = self._inner(loc, value["fields"], f"{where}.", depth + 1) if "fields" in value else ()
        field = Field(
            name,
            where,
            self._selectors(loc, value, "css"),
            self._selectors(loc, value, "xpath"),
            self._text(loc, value, "regex", MAX_REGEX),
            self._type(loc, value),
            many,
            inner,
            self._flag(loc, value, "required"),
            value.get("default"),
            self._text(loc, value, "description", MAX_DESCRIPTION) or "",
        )
        self._agree(loc, value, field)
        return field

    def _agree(self, loc: Loc, value: Json, field: Field) -> None:
        """What each key by itself does not tell."""
        if field.css and field.xpath:
            self._fault(loc, "has css and xpath: a field has one of them")
        if field.fields and (odd := [key for key in ("type", "regex", "default") if key in value]):
            self._fault((*loc, odd[0]), "is of no use beside fields")
        if field.default is None:
            return
        if field.required or field.list:
            self._fault((*loc, "default"), f"is of no use beside {'required' if field.required else 'list'}")
        elif not _is(field.type, field.default):
            self._fault(
                (*loc, "default"), f"must be {_a(field.type)}, as the field is, of at most {MAX_DEFAULT} characters"
            )

    def _selectors(self, loc: Loc, value: Json, key: str) -> tuple[str, ...]:
        given, loc = value.get(key), (*loc, key)
        if given is None:
            return ()
        many = given if isinstance(given, list) else [given]
        if not 0 < len(many) <= MAX_SELECTORS:
            self._fault(loc, f"must be a selector, or 1 to {MAX_SELECTORS} of them, to be tried in order")
            return ()
        for index, one in enumerate(many):
            if not isinstance(one, str) or not 0 < len(one.strip()) <= len(one) <= MAX_SELECTOR:
                at = (*loc, index) if isinstance(given, list) else loc
                self._fault(at, f"must be a string of 1 to {MAX_SELECTOR} characters")
                return ()
        return tuple(many)

    def _type(self, loc: Loc, value: Json) -> Type:
        given = value.get("type", Type.STRING)
        if not isinstance(given, str) or given not in set(Type):
            self._fault((*loc, "type"), f"must be one of {', '.join(Type)}")
            return Type.STRING
        return Type(given)

    def _flag(self, loc: Loc, value: Json, key: str) -> bool:
        if not isinstance(value.get(key, False), bool):
            self._fault((*loc, key), "must be true or false")
        return value.get(key) is True

    def _text(self, loc: Loc, value: Json, key: str, most: int) -> str | None:
        given = value.get(key)
        if given is not None and (not isinstance(given, str) or not 0 < len(given) <= most or "\0" in given):
            self._fault((*loc, key), f"must be a string of 1 to {most} characters")
            return None
        return given

    def _known(self, loc: Loc, value: Json, keys: tuple[str, ...]) -> None:
        for key in value:
            if key not in keys:
                self._fault((*loc, key[:MAX_NAME]), f"is not known here; there are {', '.join(keys)}")

    def _fault(self, loc: Loc, message: str) -> None:
        self._faults.append((loc, message))
        if len(self._faults) >= _MOST:
            raise _Enough


def _too_large(value: Json) -> str | None:
    try:
        size = len(orjson.dumps(value))
    except TypeError:  # which writes 254 levels at most
        return "nested too deeply"
    return f"{size} bytes; the limit of a definition is {MAX_BYTES}" if size > MAX_BYTES else None


def _a(kind: Type) -> str:
    return f"an {kind}" if kind is Type.INTEGER else f"a {kind}"


def _is(kind: Type, value: Any) -> bool:
    """Whether a JSON value is of a field's type."""
    if kind is Type.BOOLEAN:
        return isinstance(value, bool)
    if kind in (Type.NUMBER, Type.INTEGER):
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return number and (kind is Type.NUMBER or isinstance(value, int))
    if not isinstance(value, str) or len(value) > MAX_DEFAULT:
        return False
    return not any(unicodedata.category(character) == "Cc" and not character.isspace() for character in value)
