"""GET /v1/parsers: what a batch's pages can be read into, with the schema and the price of each."""

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from thresher.api.auth import Reader
from thresher.api.openapi import PROBLEMS
from thresher.api.reply import json_reply
from thresher.domain.parsers import Parser, every

router = APIRouter(prefix="/v1", tags=["parsers"], responses=PROBLEMS)


class ParserModel(BaseModel):
    id: str = Field(description="For `parser` of a new batch.")
    object: Literal["parser"]
    title: str
    aliases: list[str] = Field(description="Other ids that mean the same.")
    source: Literal["built_in", "plugin"]
    package: str | None = Field(description="Of a plug-in: the package that adds it, with its version.")
    credits: int = Field(description="What a completed item costs.")
    output_schema: dict[str, Any] = Field(description="JSON Schema of what `json_content` holds.")


class ParsersModel(BaseModel):
    object: Literal["list"]
    data: list[ParserModel]


@router.get("/parsers", response_model=ParsersModel, summary="The parsers that a batch can choose from")
async def list_parsers(request: Request, caller: Reader) -> Response:
    return json_reply({"object": "list", "data": [_view(parser) for parser in every()]})


def _view(parser: Parser) -> dict[str, Any]:
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
