"""/openapi.json against the specification: all of it is there, with types that its clients can rely on."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from tests.api.conftest import SIGNED, settings_for
from tests.conformance import spec

from thresher.api.app import create_app

Schema = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(settings_for("postgresql://nobody@127.0.0.1/none", Path("/nonexistent"))).openapi()


class Known:
    """Schemas of the document, with their references followed."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def branches(self, schema: Schema) -> list[Schema]:
        """What a value may be: the schema itself, or each of its alternatives, with what stands beside them."""
        if "$ref" in schema:
            found: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            return self.branches(found)
        if "allOf" in schema:
            (one,) = schema["allOf"]
            return self.branches(one)
        alternatives = schema.get("anyOf", [])
        if "properties" in schema or not alternatives:
            return [schema]
        return [branch for one in alternatives for branch in self.branches(one)]

    def types(self, schema: Schema) -> set[str]:
        """The types of JSON that a value may have."""
        found: set[str] = set()
        for branch in self.branches(schema):
            kinds = branch.get("type") or [_kind(value) for value in branch.get("enum", [branch.get("const")])]
            found |= {kinds} if isinstance(kinds, str) else set(kinds)
        return found

    def property(self, schema: Schema, name: str) -> Schema:
        """A property of what is an object, of any of its alternatives."""
        for branch in self.branches(schema):
            if name in branch.get("properties", {}):
                found: Schema = branch["properties"][name]
                return found
        raise AssertionError(f"there is no {name!r}")

    def required(self, schema: Schema) -> set[str]:
        """Properties that are always there."""
        return set.intersection(*(set(branch.get("required", ())) for branch in self.branches(schema)))

    def element(self, schema: Schema) -> Schema:
        """What an array holds, or an object that has any names."""
        for branch in self.branches(schema):
            for keyword in ("items", "additionalProperties"):
                if isinstance(branch.get(keyword), dict):
                    found: Schema = branch[keyword]
                    return found
        raise AssertionError("nothing is inside")


def _kind(value: Any) -> str:
    names = {bool: "boolean", str: "string", int: "integer", float: "number", type(None): "null"}
    return names[type(value)]


def _wide(types: set[str]) -> set[str]:
    return types | {"integer"} if "number" in types else types


def _disagreements(known: Known, ours: Schema, theirs: spec.Type, place: str, *, sent: bool) -> Iterator[str]:
    """Where a client of the specification could be surprised: by a reply, or, if it is `sent`, by a refusal."""
    if isinstance(theirs, list):
        if "array" not in known.types(ours):
            yield f"{place}: {known.types(ours)}, not an array"
        elif theirs:
            yield from _disagreements(known, known.element(ours), theirs[0], f"{place}[]", sent=sent)
    elif isinstance(theirs, dict):
        if "object" not in known.types(ours):
            yield f"{place}: {known.types(ours)}, not an object"
            return
        for name, one in theirs.items():
            try:
                inner = known.element(ours) if name == "*" else known.property(ours, name)
            except AssertionError as missing:
                yield f"{place}: {missing}"
            else:
                yield from _disagreements(known, inner, one, f"{place}.{name}", sent=sent)
    else:
        want = {theirs.removesuffix("?"), *(["null"] if theirs.endswith("?") else [])}
        have = known.types(ours)
        if not (want <= _wide(have) if sent else have <= _wide(want)):
            yield f"{place}: {have}, not {want}"


def _content(answer: dict[str, Any], media_type: str = "application/json") -> Schema:
    schema: Schema = answer["content"][media_type]["schema"]
    return schema


@pytest.mark.parametrize("wanted", spec.OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_an_operation_is_as_the_specification_says(document: dict[str, Any], wanted: spec.Operation) -> None:
    known, operation = Known(document), document["paths"][wanted.path][wanted.method]
    parameters = {one["name"]: one for one in operation.get("parameters", ())}
    for name, (place, required, kind, values) in wanted.parameters.items():
        ours = parameters[name]
        assert (ours["in"], ours["required"], known.types(ours["schema"])) == (place, required, {kind}), name
        assert set(values) <= set(ours["schema"].get("enum", values)), name
    added = parameters.keys() - wanted.parameters.keys()
    assert not [name for name in added if parameters[name]["required"]], "a parameter that no client sends is required"
    assert operation["security"] == [{"Authorization": []}]
    reply = _content(operation["responses"]["200"])
    assert list(_disagreements(known, reply, wanted.reply, "reply", sent=False)) == []
    for status in wanted.problems:
        problem = _content(operation["responses"][str(status)], "application/problem+json")
        assert list(_disagreements(known, problem, spec.PROBLEM, f"{status}", sent=False)) == []
        assert known.required(problem) >= spec.PROBLEM_REQUIRED
    if wanted.body is not None:
        assert operation["requestBody"]["required"] is True
        body = _content(operation["requestBody"])
        assert list(_disagreements(known, body, wanted.body, "body", sent=True)) == []
        assert known.required(body) <= wanted.required
        assert known.required(known.element(known.property(body, "items"))) <= wanted.required_of_item


def test_metadata_has_the_limits_of_the_specification(document: dict[str, Any]) -> None:
    known, limits = Known(document), spec.METADATA_LIMITS
    for name in ("CreateBatch", "UrlItem", "FileItem"):
        pairs, *_ = known.branches(document["components"]["schemas"][name]["properties"]["metadata"])
        key = pairs["propertyNames"]
        assert (pairs["maxProperties"], key["maxLength"]) == (limits["pairs"], limits["key"])
        assert known.element(pairs)["maxLength"] == limits["value"]
        assert known.types(known.element(pairs)) >= {"string", "number", "boolean"}
        assert not any(re.search(key["pattern"], f"a{mark}b") for mark in str(limits["not in a key"]))
        assert re.search(key["pattern"], "order id")


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_says_how_it_can_be_refused_and_who_may_ask(document: dict[str, Any]) -> None:
    open_to_all = {"GET /healthz", "GET /readyz"} | {f"GET {path}" for path in SIGNED}
    open_to_all |= {"GET /api/v1/parsing/supported_file_extensions"}
    for name, operation in _operations(document):
        answers = set(operation["responses"])
        of_parse_api = " /api/" in name
        for status, answer in operation["responses"].items():
            problem = "application/problem+json" in answer.get("content", {})
            assert problem == (int(status) >= 400 and not of_parse_api), (name, status)
            assert "X-Request-Id" in answer["headers"], (name, status)
        assert ("security" in operation) == (name not in open_to_all), name
        if "security" in operation:
            assert answers >= {"401", "403", "429", "500", "503"}, name
        if "requestBody" in operation:
            assert answers >= {"400", "413", "415"}, name
        if "{batch_id}" in name:
            assert answers >= {"404"}, name
        if any(one["in"] == "query" for one in operation.get("parameters", ())) and name not in open_to_all:
            assert ("422" if of_parse_api else "400") in answers, name
    ids = [operation["operationId"] for _, operation in _operations(document)]
    assert len(ids) == len(set(ids))


def test_every_example_and_every_schema_is_valid(document: dict[str, Any]) -> None:
    definitions = {"components": document["components"]}
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.validator_for({**schema, **definitions})
        for field, one in schema.get("properties", {}).items():
            for example in one.get("examples", ()):
                checker = jsonschema_rs.validator_for({**one, **definitions})
                assert checker.is_valid(example), (name, field)
    for name, operation in _operations(document):
        for media_type in operation.get("requestBody", {}).get("content", {}).values():
            checker = jsonschema_rs.validator_for({**media_type["schema"], **definitions})
            for title, example in media_type.get("examples", {}).items():
                assert checker.is_valid(example["value"]), (name, title)
