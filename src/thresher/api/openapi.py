"""What /openapi.json says beyond what FastAPI finds by itself: bodies that are read by hand, problems, headers, limits."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, WithJsonSchema

from thresher.api import parser_schemas
from thresher.api.llamacloud import batch_schemas, directory_schemas, file_schemas, job_schemas, parse_request
from thresher.api.llamacloud.errors import ROOT
from thresher.api.olostep import bodies, schemas
from thresher.domain.problem import PROBLEMS as KINDS
from thresher.settings import Settings

NDJSON = "application/x-ndjson"

_REQUIRED = "x-required"  # on its way from the parameter's schema to the parameter

_REF = "#/components/schemas/{model}"

# Read by hand, so FastAPI does not find them.
_BODIES: tuple[type[BaseModel], ...] = (
    bodies.CreateBatch,
    bodies.ChangeBatch,
    bodies.Retry,
    bodies.Apply,
    bodies.Append,
    bodies.NewItem,
    bodies.TryWebhook,
    bodies.Recover,
    parser_schemas.DefinitionModel,
    parser_schemas.TrialModel,
    directory_schemas.NewDirectory,
    directory_schemas.ChangedDirectory,
    directory_schemas.AddedFile,
    directory_schemas.ChangedFile,
    directory_schemas.DeletedFiles,
    parse_request.ParseRequest,
    file_schemas.FileQuery,
    batch_schemas.NewParseBatch,
    job_schemas.NewBatchJob,
    job_schemas.CancelBatchJob,
    schemas.ExportLine,
    schemas.Error,
)

# Which setting is the limit of which property, and by which keyword of JSON Schema.
_LIMITS = (
    ("CreateBatch", "items", "maxItems", "max_items"),
    ("CreateBatch", "timeout", "maximum", "batch_timeout"),
    ("CreateBatch", "webhook", "maxLength", "max_url_bytes"),
    ("TryWebhook", "webhook", "maxLength", "max_url_bytes"),
    ("Append", "items", "maxItems", "max_items"),
    ("NewBatchJob", "item_ids", "maxItems", "max_items"),
    ("ParseRequest", "source_url", "maxLength", "max_url_bytes"),
    ("TrialModel", "url", "maxLength", "max_url_bytes"),
    ("UrlItem", "url", "maxLength", "max_url_bytes"),
    ("UrlItem", "custom_id", "maxLength", "max_custom_id_bytes"),
    ("FileItem", "custom_id", "maxLength", "max_custom_id_bytes"),
    ("UrlItem", "timeout", "maximum", "attempt_timeout"),
)

_WHAT = {
    400: "The request is wrong; `detail` and `errors` name where.",
    401: "The API key is missing, unknown, expired or revoked.",
    402: "The account has too few credits; `detail` says how many.",
    403: "The API key does not have the scope that this needs.",
    404: "There is no such batch, content, event or parser in this account.",
    409: "Something stands in the way now; `code` says what.",
    410: "It is gone; `code` says what.",
    413: "The body is larger than the limit.",
    415: "The body is compressed.",
    422: "The idempotency key was used for another request.",
    429: "The API key has used up its requests for now.",
    500: "An unexpected error, logged under the problem's `id`.",
    503: "A dependency is away; try again.",
}

_ETAG = {"ETag": {"required": True, "schema": {"type": "string"}}}
WITH_ETAG: dict[int | str, dict[str, Any]] = {
    200: {"headers": _ETAG},
    304: {"description": "It is as the If-None-Match says.", "headers": _ETAG},
}

_RETRY_AFTER = {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer", "minimum": 1}}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": "Bearer"}}},
    409: {"Retry-After": _RETRY_AFTER},
    429: {"Retry-After": {"required": True, **_RETRY_AFTER}},
    503: {"Retry-After": {"required": True, **_RETRY_AFTER}},
}
# Of every answer, and of those to a key whose requests are limited.
_COMMON: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "As it was sent, or made for this request.",
        "required": True,
        "schema": {"type": "string"},
    },
}
_COUNT = {"type": "integer", "minimum": 0}
_LIMITED: dict[str, dict[str, Any]] = {
    "RateLimit-Policy": {"description": "Requests in a window of so many seconds.", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "Requests in a window.", "schema": _COUNT},
    "RateLimit-Remaining": {"description": "Requests that may come at once.", "schema": _COUNT},
    "RateLimit-Reset": {"description": "Seconds until all of them may.", "schema": _COUNT},
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can answer problems of these statuses."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    codes = [code for code, kind in KINDS.items() if kind.status == status]
    schema = {"allOf": [{"$ref": _REF.format(model="Error")}], "properties": {"code": {"enum": codes}}}
    found = {"description": _WHAT[status], "content": {"application/problem+json": {"schema": schema}}}
    return found | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


# What every route that needs a key can answer.
PROBLEMS = problems(401, 403, 429, 500, 503)

# And every route that reads a body.
BODY_PROBLEMS = (400, 413, 415)


def answer_of(model: type[BaseModel], media_type: str, text: str) -> dict[str, Any]:
    """The answer of a route that writes this form by hand."""
    return {"description": text, "content": {media_type: {"schema": {"$ref": _REF.format(model=model.__name__)}}}}


def json_body(model: type[BaseModel], *, needed: bool = True, **examples: Any) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads a JSON body of this form by hand, with an example for each name."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    shown = {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}
    return {"requestBody": {"required": needed, "content": {"application/json": {"schema": schema, **shown}}}}


def append_body() -> dict[str, Any]:
    """The `openapi_extra` of the append, which takes items in JSON or as lines."""
    extra = json_body(bodies.Append)
    schema = {"$ref": _REF.format(model="NewItem"), "description": "One item a line."}
    extra["requestBody"]["content"][NDJSON] = {"schema": schema}
    return extra


def integer(least: int, most: int | None = None) -> WithJsonSchema:
    """A parameter that is read by hand, so that every client's spelling works."""
    return WithJsonSchema({"type": "integer", "minimum": least, **({} if most is None else {"maximum": most})})


def one_of(names: Iterable[str]) -> WithJsonSchema:
    """A parameter that is one of these, read by hand."""
    return WithJsonSchema({"type": "string", "enum": list(names)})


def some_of(names: Iterable[str]) -> WithJsonSchema:
    """A parameter that is a list of these, read by hand."""
    return WithJsonSchema({"type": "array", "items": {"type": "string", "enum": list(names)}})


def required() -> WithJsonSchema:
    """A parameter that must be there, which the route says in words of its own."""
    return WithJsonSchema({"type": "string", "minLength": 1, _REQUIRED: True})


def describe(app: FastAPI, settings: Settings) -> None:
    """Let the app's OpenAPI document say all of it."""
    generate = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        document = generate()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        document["components"]["headers"] = _COMMON | _LIMITED
        for model in _BODIES:
            schema = model.model_json_schema(ref_template=_REF)
            known.update(schema.pop("$defs", {}))
            known[model.__name__] = schema
        for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form of a refusal, which is never sent
            known.pop(name, None)
        for name, field, keyword, setting in _LIMITS:
            known[name]["properties"][field][keyword] = getattr(settings, setting)
        for path, operation in _operations(document):
            _complete(path, operation)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Every answer has the headers of all; a 422 is there only if the route says so itself."""
    for parameter in operation.get("parameters", ()):
        parameter["required"] |= parameter["schema"].pop(_REQUIRED, False)
        if parameter["in"] == "query" and not parameter["required"] and not path.startswith(ROOT):
            parameter["allowEmptyValue"] = True  # which counts as absent
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    names = (*_COMMON, *(_LIMITED if "security" in operation else ()))
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    for response in answers.values():
        response["headers"] = headers | response.get("headers", {})
