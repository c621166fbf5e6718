"""Parsers in requests and answers as models, for /openapi.json and /docs alone: domain/definition.py checks what comes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from thresher.api.olostep.schemas import ItemError, Maybe, Schema
from thresher.domain import definition

_SELECTOR = {"type": "string", "minLength": 1, "maxLength": definition.MAX_SELECTOR}
_Selectors = Annotated[
    str | list[str] | None,
    WithJsonSchema(
        {
            "anyOf": [
                _SELECTOR,
                {"type": "array", "items": _SELECTOR, "minItems": 1, "maxItems": definition.MAX_SELECTORS},
                {"type": "null"},
            ]
        }
    ),
]


_Text = Annotated[str, Field(min_length=1, pattern=r"^[^\u0000]*$")]


class FieldModel(BaseModel):
    """How one key of the result is found. A string alone is a CSS selector."""

    model_config = ConfigDict(extra="forbid")

    css: _Selectors = Field(
        None, description="Or several, the first that gives a value. May end in ::attr(name) or ::text."
    )
    xpath: _Selectors = Field(None, description="XPath 1.0, instead of css.")
    regex: _Text | None = Field(
        None, max_length=definition.MAX_REGEX, description="RE2; its first group, or all of it."
    )
    type: definition.Type = Field(definition.Type.STRING, description="What is made of the text.")
    list: bool = Field(False, description="All values instead of the first.")
    fields: Maybe[dict[str, Any]] = Field(
        None, min_length=1, description="An object of what the selector finds: names to such fields."
    )
    required: bool = Field(False, description="Without it there is no result, or no entry of the list around it.")
    default: Any = Field(None, description="The value of a field that has none.")
    description: _Text | None = Field(None, max_length=definition.MAX_DESCRIPTION)


class DefinitionModel(BaseModel):
    """docs/parsers.md says what can be said, and has examples."""

    model_config = ConfigDict(extra="forbid")

    description: _Text | None = Field(None, max_length=definition.MAX_DESCRIPTION)
    fields: dict[str, "FieldModel | str"] = Field(
        min_length=1, description=f"At most {definition.MAX_FIELDS}, with those inside of others."
    )


class TrialModel(Schema):
    definition: dict[str, Any] | None = Field(None, description="As a put takes it.")
    parser: str | dict[str, Any] | None = Field(None, description="One that is there, instead of a definition.")
    html: Annotated[str, Field(pattern=r"\S")] | None = Field(None, description="The page itself.")
    url: Annotated[str | None, WithJsonSchema({"anyOf": [{"type": "string", "format": "uri"}, {"type": "null"}]})] = (
        Field(None, description="Where the HTML is from; without any, the page to be fetched.")
    )


class ParserModel(BaseModel):
    id: str = Field(description="For `parser` of a new batch.")
    object: Literal["parser"]
    title: str
    aliases: list[str] = Field(description="Other ids that mean the same.")
    source: Literal["built_in", "plugin", "account"]
    package: str | None = Field(description="Of a plug-in: the package that adds it, with its version.")
    credits: int = Field(description="What a completed item costs.")
    output_schema: dict[str, Any] = Field(description="JSON Schema of what `json_content` holds.")
    version: Maybe[int] = Field(
        None, description="Of a parser of the account's own: the newest, or the one that was asked for."
    )
    created: Maybe[int] = Field(None, description="When this version was made, in seconds since the epoch.")


class ParsersModel(BaseModel):
    object: Literal["list"]
    data: list[ParserModel]


class VersionModel(BaseModel):
    version: int
    created: int


class WholeParserModel(ParserModel):
    definition: Maybe[DefinitionModel] = Field(None, description="Of a parser of the account's own: as it was put.")
    versions: Maybe[list[VersionModel]] = Field(None, description="Those that a batch can choose, the newest first.")
    changed: Maybe[bool] = Field(
        None, description="Of a put: whether it made a version. The same definition makes none."
    )


class RetiredModel(BaseModel):
    id: str
    object: Literal["parser"]
    retired: Literal[True]
    versions: list[int] = Field(description="Those that were retired now.")


class MatchModel(BaseModel):
    field: str = Field(description="Where it stands in the result: offers[].price.")
    selector: str | None = Field(description="The one that gave the values.")
    matched: int = Field(description="Elements, or texts, that were selected.")
    values: int = Field(description="Values that these gave.")
    reason: str | None = Field(description="Why there is no value; null if there is one.")


class TrialResultModel(BaseModel):
    object: Literal["parser.dry_run"]
    ok: bool = Field(description="Whether an item with this page would be completed.")
    url: str = Field(description="The page's, after redirects.")
    data: dict[str, Any] | None = Field(description="What the parser has made of it.")
    error: ItemError | None = Field(description="Why it made nothing, as the item of a batch would have it.")
    matches: list[MatchModel] = Field(description="Of a declared parser: what became of each field.")
    batch_id: Maybe[str] = Field(None, description="Of a page that was fetched: the batch of one that did so.")
