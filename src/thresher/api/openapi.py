"""What /openapi.json says beyond what FastAPI finds by itself: bodies that are read by hand, and the problems."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, WithJsonSchema

from thresher.api.olostep import schemas

NDJSON = "application/x-ndjson"

# Of a parameter that is read by hand, so that every client's spelling works.
INTEGER = WithJsonSchema({"type": "integer"})


def one_of(names: Iterable[str]) -> WithJsonSchema:
    """The same of a name."""
    return WithJsonSchema({"type": "string", "enum": list(names)})


def some_of(names: Iterable[str]) -> WithJsonSchema:
    """The same of a list of names."""
    return WithJsonSchema({"type": "array", "items": {"type": "string", "enum": list(names)}})


_REF = "#/components/schemas/{model}"

# Read by hand, so FastAPI does not find them.
_BODIES: tuple[type[BaseModel], ...] = (
    schemas.CreateBatch,
    schemas.ChangeBatch,
    schemas.Append,
    schemas.NewItem,
    schemas.ExportLine,
    schemas.Error,
)


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model="Error")}
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: _problem("The request is wrong; `detail` and `errors` name where."),
    401: _problem("The API key is missing or unknown."),
    402: _problem("The account has too few credits."),
    403: _problem("The key lacks the scope that this needs."),
    404: _problem("There is no such batch or content in this account."),
    409: _problem("The batch is not in the state that this needs."),
    410: _problem("The batch was purged."),
    413: _problem("The body is larger than the limit."),
    429: _problem("The key has made too many requests; `Retry-After` says when the next one may come."),
    500: _problem("An unexpected error, logged under the problem's id."),
    503: _problem("A dependency is away; try again."),
}

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "It is as the If-None-Match says."}}


def answer_of(model: type[BaseModel], media_type: str, text: str) -> dict[str, Any]:
    """The answer of a route that writes this form by hand."""
    return {"description": text, "content": {media_type: {"schema": {"$ref": _REF.format(model=model.__name__)}}}}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads a JSON body of this form by hand."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def append_body() -> dict[str, Any]:
    """The `openapi_extra` of the append, which takes items in JSON or as lines."""
    extra = json_body(schemas.Append)
    schema = {"$ref": _REF.format(model="NewItem"), "description": "One item a line."}
    extra["requestBody"]["content"][NDJSON] = {"schema": schema}
    return extra


def describe(app: FastAPI) -> None:
    """Let the app's OpenAPI document hold the models that its routes refer to by hand."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        for model in _BODIES:
            schema = model.model_json_schema(ref_template=_REF)
            known.update(schema.pop("$defs", {}))
            known[model.__name__] = schema
        # FastAPI's own form of a refusal, which this API never sends.
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            known.pop(name, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
