"""/v1/parsers: what a batch's pages can be read into, the built-in parsers and the account's own; and changing the latter."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from thresher.api import parser_schemas as schemas
from thresher.api.auth import Reader, Writer
from thresher.api.definitions import read_definition
from thresher.api.openapi import BODY_PROBLEMS, PROBLEMS, json_body, problems
from thresher.api.reply import json_reply
from thresher.api.state import state_of
from thresher.domain import credit, definition, parser_name, parsers
from thresher.domain.parser_name import Reference
from thresher.domain.parsers import Parser
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage import parsers as declared
from thresher.storage.parsers import TooManyParsers, Version

router = APIRouter(prefix="/v1", tags=["parsers"], responses=PROBLEMS)

EXAMPLE = {
    "description": "A page of our shop",
    "fields": {
        "name": {"css": "h1", "required": True},
        "price": {"css": ".price", "type": "number"},
        "offers": {
            "css": ".offer",
            "list": True,
            "fields": {"seller": ".seller", "price": {"css": "b", "type": "number"}},
        },
    },
}


_Id = Annotated[str, WithJsonSchema({"type": "string", "minLength": 1})]
_Name = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": f"^{parser_name.NAME}$", "maxLength": parser_name.MAX_NAME})
]


@router.get("/parsers", response_model=schemas.ParsersModel, summary="The parsers that a batch can choose from")
async def list_parsers(request: Request, caller: Reader) -> Response:
    async with state_of(request).connection() as connection:
        own = await declared.newest(connection, caller.id)
    return json_reply({"object": "list", "data": [*map(_offered, parsers.every()), *map(_own, own)]})


@router.get(
    "/parsers/{parser_id:path}",
    response_model=schemas.WholeParserModel,
    responses=problems(404),
    summary="A parser, with its definition and its versions if it is your own",
)
async def show_parser(request: Request, caller: Reader, parser_id: _Id) -> Response:
    """An older version by its name and number: my-shop@2."""
    if known := parsers.find(parser_id):
        return json_reply(_offered(known))
    reference = _reference(parser_id)
    async with state_of(request).connection() as connection:
        versions = await declared.versions(connection, caller.id, reference.name)
    chosen = next((one for one in versions if reference.version in (None, one.version)), None)
    if chosen is None:
        raise _not_found()
    return json_reply(_whole(chosen, versions))


@router.put(
    "/parsers/{parser_id:path}",
    response_model=schemas.WholeParserModel,
    responses=problems(*BODY_PROBLEMS),
    openapi_extra=json_body(schemas.DefinitionModel, shop=EXAMPLE),
    summary="Make a parser, or a new version of it",
)
async def put_parser(request: Request, caller: Writer, parser_id: _Name) -> Response:
    """Batches that chose an older version keep it. Without a change to the newest one nothing is made."""
    if refusal := parser_name.refusal(parser_id):
        fault = {"loc": ["path", "parser_id"], "msg": refusal, "type": "parser"}
        raise Problem(ProblemCode.VALIDATION_ERROR, refusal, errors=[fault])
    state = state_of(request)
    text = await state.parse(read_definition, await request.body())
    async with state.connection() as connection:
        try:
            made, changed = await declared.put(connection, caller.id, parser_id, text)
        except TooManyParsers:
            detail = f"The account has {declared.MOST} parsers, the limit; retire one that is not used any more."
            raise Problem(ProblemCode.VALIDATION_ERROR, detail) from None
        versions = await declared.versions(connection, caller.id, parser_id)
    return json_reply(_whole(made, versions) | {"changed": changed})


@router.delete(
    "/parsers/{parser_id:path}",
    response_model=schemas.RetiredModel,
    responses=problems(404),
    summary="Retire a parser, or one version of it",
)
async def retire_parser(request: Request, caller: Writer, parser_id: _Id) -> Response:
    """No new batch can choose it; those that have go on with it, and so do their retries. A put of the name makes a new version."""
    reference = _reference(parser_id)
    async with state_of(request).connection() as connection:
        versions = await declared.retire(connection, caller.id, reference)
    if not versions:
        raise _not_found()
    return json_reply({"id": parser_id, "object": "parser", "retired": True, "versions": versions})


def _not_found() -> Problem:
    return Problem(ProblemCode.PARSER_NOT_FOUND, "Parser not found")


def _reference(parser_id: str) -> Reference:
    reference = parser_name.read(parser_id)
    if reference is None:
        raise _not_found()
    return reference


def _offered(parser: Parser) -> dict[str, Any]:
    return {
        "id": parser.id,
        "object": "parser",
        "title": parser.title,
        "aliases": parser.aliases,
        "source": "plugin" if parser.package else "built_in",
        "package": parser.package,
        "credits": parser.credits,
        "output_schema": parser.schema,
    }


def _own(version: Version) -> dict[str, Any]:
    read = definition.of_text(version.definition)
    return {
        "id": version.name,
        "object": "parser",
        "title": read.description or "A parser of your own",
        "aliases": [],
        "source": "account",
        "package": None,
        "credits": credit.PAGE,
        "output_schema": definition.schema(read),
        "version": version.version,
        "created": int(version.created_at.timestamp()),
    }


def _whole(version: Version, versions: list[Version]) -> dict[str, Any]:
    listed = [{"version": one.version, "created": int(one.created_at.timestamp())} for one in versions]
    return _own(version) | {"definition": orjson.loads(version.definition), "versions": listed}
