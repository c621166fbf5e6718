"""Definitions of parsers, and their names: what is one, what is not and where, and what it promises."""

from typing import Any

import jsonschema_rs
import pytest

from thresher.domain import definition, parser_name
from thresher.domain.definition import InvalidDefinition
from thresher.domain.parser_name import Reference


def faults(value: Any) -> dict[str, str]:
    """The places of what is wrong, and what is."""
    with pytest.raises(InvalidDefinition) as raised:
        definition.read(value)
    return {".".join(map(str, loc)): message for loc, message in raised.value.faults}


def field(**keys: Any) -> dict[str, Any]:
    return {"fields": {"a": keys}}


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        ([], "", "an object"),
        ({}, "fields", "at least one field"),
        ({"fields": {}}, "fields", "at least one field"),
        ({"fields": {"a": "b"}, "name": "x"}, "name", "not known"),
        ({"fields": {"": "b"}}, "fields.", "1 to 64"),
        ({"fields": {"a\0": "b"}}, "fields.a\0", "printable"),
        ({"fields": {"a": 1}}, "fields.a", "a CSS selector"),
        ({"fields": {"a": ""}}, "fields.a.css", "1 to 1000"),
        (field(css="p", cs="q"), "fields.a.cs", "not known"),
        (field(css="p", xpath="//p"), "fields.a", "one of them"),
        (field(css=[]), "fields.a.css", "1 to 10"),
        (field(css=["p", 1]), "fields.a.css.1", "a string"),
        (field(xpath="x" * 1001), "fields.a.xpath", "1 to 1000"),
        (field(regex=""), "fields.a.regex", "1 to 500"),
        (field(regex="x" * 501), "fields.a.regex", "1 to 500"),
        (field(type="date"), "fields.a.type", "one of string, number"),
        (field(list=1), "fields.a.list", "true or false"),
        (field(required="yes"), "fields.a.required", "true or false"),
        (field(type="number", default="1"), "fields.a.default", "a number"),
        (field(type="integer", default=1.5), "fields.a.default", "an integer"),
        (field(type="boolean", default=0), "fields.a.default", "a boolean"),
        (field(default="a\0"), "fields.a.default", "a string"),
        (field(list=True, default="x"), "fields.a.default", "beside list"),
        (field(required=True, default="x"), "fields.a.default", "beside required"),
        (field(fields={"b": "p"}, type="url"), "fields.a.type", "beside fields"),
        (field(fields={"b": {"fields": {}}}), "fields.a.fields.b.fields", "at least one field"),
        ({"fields": {f"f{n}": "p" for n in range(101)}}, "fields", "100 fields"),
        (field(css="p" * 70_000), "", "the limit of a definition is 65536"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(value: Any, place: str, words: str) -> None:
    assert words in faults(value)[place]


def test_depth_and_the_number_of_faults_have_limits() -> None:
    deep: Any = "p"
    for _ in range(5):
        deep = {"fields": {"a": deep}}
    definition.read(deep)
    assert "deeper than 5" in next(iter(faults({"fields": {"a": deep}}).values()))
    endless: Any = []
    for _ in range(1000):
        endless = [endless]
    assert faults(field(default=endless)) == {"": "nested too deeply"}
    assert len(faults({"fields": {f"f{n}": 1 for n in range(100)}})) == 20


def test_a_definition_has_a_schema_and_every_field_a_place() -> None:
    found = definition.read(
        {
            "description": "A shop",
            "fields": {
                "name": {"css": "h1", "required": True, "description": "What it is"},
                "price": {"css": ["b", "i"], "type": "number"},
                "stock": {"css": ".stock", "type": "boolean"},
                "unit": {"default": "piece"},
                "offers": {"css": "li", "list": True, "fields": {"by": "b", "sizes": {"css": "i", "list": True}}},
            },
        }
    )
    assert [one.place for _, one in found.every()] == [
        *("name", "price", "stock", "unit", "offers[]", "offers[].by", "offers[].sizes[]")
    ]
    schema = definition.schema(found)
    jsonschema_rs.meta.validate(schema)
    assert schema["description"] == "A shop"
    kinds = {name: one["type"] for name, one in schema["properties"].items()}
    assert kinds == {
        "name": "string",
        "price": ["number", "null"],
        "stock": "boolean",
        "unit": "string",
        "offers": "array",
    }
    assert schema["properties"]["offers"]["items"]["required"] == ["by", "sizes"]


def test_the_order_of_fields_is_kept_as_text() -> None:
    value = {"fields": {"zebra": "p", "ant": "i", "longest_of_all": "b"}}
    assert [one.name for one in definition.of_text(definition.text_of(value)).fields] == [*value["fields"]]


def test_names_are_ones_own_and_references_have_a_version_or_none() -> None:
    for good in ("my-shop", "@acme/my-shop", "a", "shop_2.v1"):
        assert parser_name.refusal(good) is None
        assert parser_name.read(good) == Reference(good)
        assert parser_name.read(f"{good}@12") == Reference(good, 12)
        assert str(Reference(good, 12)) == f"{good}@12"
    taken = ("@thresher/x", "@olostep/x", "@thresher/article", "@olostep/extract-emails", "none")
    for bad in (*taken, "", "My-Shop", "a/b", "@a", "@a/", "-a", "a b", "a@1", "x" * 101, "a\n", "é"):
        assert parser_name.refusal(bad), bad
    for bad in ("a@0", "a@", "a@x", "a@-1", "a@99999999999", "a@2147483648", "a@1@2", "@1", "x" * 101, "a@1\n"):
        assert parser_name.read(bad) is None, bad
