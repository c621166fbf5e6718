"""What a request to the Olostep face may hold, as models for /openapi.json alone; requests.py and items.py check it.

It is said exactly, down to lengths and characters: programs make requests from it, up to the limits and beyond.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, WithJsonSchema
from pydantic.config import JsonDict

from thresher.api.olostep import headers, items, link_options
from thresher.api.olostep.schemas import Schema
from thresher.domain import metadata, parser_name, parsers, source
from thresher.domain.failure import FailureCode
from thresher.domain.webhook import Subject

_NO_NUL = r"^[^\u0000]*$"
_EMPTY = {"type": "string", "maxLength": 0}
_COUNTRY_CODE = {"type": "string", "format": "iso-3166-1-alpha-2", "pattern": "^([A-Za-z]{2}|RANDOM)$"}
SOURCE = {"type": "string", "format": "printable", "minLength": 1, "maxLength": source.MAX}
_URL = {"type": "string", "format": "uri"}
LATEST = 253_402_300_799  # the last second of the year 9999, beyond which no program counts

_Text = Annotated[str, Field(pattern=_NO_NUL)]

# Numbers and booleans become strings, and a pair with null is left out.
_PAIRS = {
    "type": "object",
    "maxProperties": metadata.MAX_KEYS,
    "propertyNames": {"maxLength": metadata.MAX_KEY, "pattern": r"^[^\[\]\u0000]*$"},
    "additionalProperties": {
        "type": ["string", "number", "boolean", "null"],
        "maxLength": metadata.MAX_VALUE,
        "pattern": _NO_NUL,
    },
}
NewMetadata = Annotated[
    dict[str, Any] | str | None,
    WithJsonSchema({"anyOf": [_PAIRS, {"type": "null"}, _EMPTY]}),
    Field(
        description="At most 50 pairs; keys up to 40 characters, without square brackets, values up to 500."
        " Numbers and booleans become strings.",
        examples=[{"order_id": "12345", "priority": "high"}],
    ),
]


def _or_empty(schema: dict[str, Any]) -> WithJsonSchema:
    """Null and the empty string count as absent: there are clients that send every field of a form."""
    return WithJsonSchema({"anyOf": [schema, {"type": "null"}, _EMPTY]})


def _any_case(name: str) -> str:
    """A pattern of a header's name, in a dialect that has no flags."""
    return "".join(f"[{char.upper()}{char}]" if char.isalpha() else char for char in name)


_OURS = "|".join(f"{_any_case(name)}$" for name in sorted(headers.OURS))
_OURS_BEGIN = "|".join(map(_any_case, headers.OURS_BEGIN))
Headers = Annotated[
    dict[str, str] | None,
    WithJsonSchema(
        {
            "type": ["object", "null"],
            "maxProperties": headers.MAX_HEADERS,
            "propertyNames": {"format": "field-name", "pattern": f"^(?!{_OURS}|{_OURS_BEGIN}){headers.NAME}$"},
            "additionalProperties": {"type": "string", "pattern": r"^[^\u0000-\u0008\u000a-\u001f\u007f]*$"},
        }
    ),
    Field(examples=[{"Accept-Language": "de", "Authorization": "Bearer ..."}]),
]


_PARSER_IDS = [name for parser in parsers.every() for name in (parser.id, *parser.aliases)]
_ParserId = Annotated[
    str | None,
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [*_PARSER_IDS, "none", "", None]},
                {"type": "string", "pattern": parser_name.REFERENCE, "maxLength": parser_name.MAX_NAME},
            ]
        }
    ),
]


class Parser(Schema):
    id: _ParserId = Field(None, description="One of GET /v1/parsers.")
    version: Any = Field(
        None, description="Of a parser of your own; absent: the newest. Of the others it is not looked at."
    )


# More than blanks.
_Globs = Annotated[
    list[Annotated[str, Field(pattern=r"^[^\u0000]*[^\s\u0000-\u001f][^\u0000]*$")]],
    Field(max_length=link_options.MAX_PATTERNS),
]


class LinksOnPage(Schema):
    absolute_links: bool | None = Field(
        None, description="false: links to the page's own origin lose scheme and host. Absent: true."
    )
    query_to_order_links_by: str | None = Field(
        None,
        max_length=link_options.MAX_QUERY,
        pattern=_NO_NUL,
        description="Absent: links are in the order of the page.",
    )
    include_links: _Globs | None = Field(None, description="Glob patterns; absent: all links.", examples=[["/blog/**"]])
    exclude_links: _Globs | None = Field(None, description="Glob patterns; they win over `include_links`.")


class _Item(Schema):
    custom_id: Annotated[
        str | int | None,
        WithJsonSchema(
            {
                "type": ["string", "integer", "null"],
                "pattern": _NO_NUL,
                "minimum": items.MIN_ID,
                "maximum": items.MAX_ID,
            }
        ),
    ] = Field(
        None,
        description="Your own id of the item; one is made if absent. The same one for two different URLs or files is refused.",
        examples=["product-123"],
    )
    metadata: NewMetadata = None
    method: Literal["GET"] | None = Field(None, description="There is no other.")
    parser: Parser | _ParserId = Field(None, description="Instead of the batch's; none for no parser.")
    links_on_page: LinksOnPage | None = Field(None, description="Instead of the batch's.")
    content: Literal["page", "main"] | None = Field(None, description="Absent: as the batch.")


class UrlItem(_Item):
    url: Annotated[str, WithJsonSchema(_URL)] = Field(
        description="An http or https URL, without a user name and password.",
        examples=["https://example.com/product/123"],
    )
    headers: Annotated[
        Headers, Field(description="Sent to this item's origin alone, instead of the batch's; {} for none of those.")
    ] = None
    timeout: float | None = Field(
        None,
        description="Seconds that an attempt may take on the network.",
        json_schema_extra={"exclusiveMinimum": 0},
    )
    file_id: None = Field(None, description="An item has a url or a file_id.")


class FileItem(_Item):
    """A file in the place of a page. What is chosen about fetching is not for it."""

    file_id: Annotated[str, WithJsonSchema({"type": "string", "format": "file-id", "pattern": items.FILE_ID})] = Field(
        description="The id of a file of the account: POST /api/v1/beta/files uploads one."
    )
    url: None = None
    headers: None = None
    timeout: None = None


class NewItem(RootModel[UrlItem | FileItem]):
    """A page to be fetched, or a file that was uploaded."""


# A batch has items, unless it is open: then they may come later.
_SOME_ITEMS: JsonDict = {
    "anyOf": [
        {"required": ["items"], "properties": {"items": {"type": "array", "minItems": 1}}},
        {"required": ["open"], "properties": {"open": {"const": True}}},
    ]
}


class CreateBatch(Schema):
    model_config = ConfigDict(extra="allow", json_schema_extra=_SOME_ITEMS)

    items: list[NewItem] | None = Field(None, description="At least one, unless the batch is `open`.")
    open: bool | None = Field(None, description="More items are appended before the batch is started.")
    timeout: float | None = Field(
        None,
        description="Seconds until the batch ends with what it has; of an open one counted again from its start.",
        json_schema_extra={"exclusiveMinimum": 0},
    )
    country: Annotated[str | None, _or_empty(_COUNTRY_CODE)] = Field(
        None, description="ISO 3166-1 alpha-2, in any case, or RANDOM.", examples=["US"]
    )
    parser: Parser | _ParserId = Field(
        None, description="What reads every page into JSON: an object with an id, or the id alone."
    )
    links_on_page: LinksOnPage | None = None
    metadata: NewMetadata = None
    webhook: Annotated[str | None, _or_empty(_URL)] = Field(
        None, description="An http or https URL that is told when the batch is completed."
    )
    webhook_events: list[Subject] | None = Field(
        None, description="What the webhook is told of; absent: of batch.completed. Needs a webhook."
    )
    compare_with: Annotated[str | None, _or_empty({"type": "string"})] = Field(
        None, description="An earlier batch, which is done. What has changed since then is counted at the end."
    )
    webhook_only_changes: bool | None = Field(
        None, description="true: the webhook is not told of what is as it was. Needs a webhook and `compare_with`."
    )
    formats: list[_Text] | _Text | None = Field(None, description="Recorded; it changes nothing.")
    wait_before_scraping: float | None = Field(None, ge=0, description="Milliseconds. Recorded; it changes nothing.")
    source: Annotated[str, WithJsonSchema(SOURCE)] | None = Field(
        None, description="Who makes the batch, for the list of batches. Absent: api.", examples=["nightly"]
    )
    max_age: float | None = Field(
        None,
        ge=0,
        description="Seconds for which a page that the account has stored does for another batch. Absent: it never does.",
    )
    robots: Literal["obey", "report", "ignore"] | None = Field(None, description="Absent: obey.")
    on_blocked: Literal["fail", "keep"] | None = Field(None, description="Absent: fail.")
    content: Literal["page", "main"] | None = Field(
        None, description="What markdown and text are of: the whole page, or its main content. Absent: page."
    )
    headers: Annotated[
        Headers,
        Field(description="Sent to each item's origin with its requests. Never told again, and erased with the batch."),
    ] = None


class ChangeBatch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    metadata: NewMetadata = Field(
        description='Merged into what there is: null or "" deletes a key, and null or "" alone all of them.'
    )


class Retry(Schema):
    codes: list[Annotated[str, WithJsonSchema({"type": "string", "enum": [*FailureCode]})]] | None = Field(
        None, description="Only items that failed with one of these. Absent or empty: all that have no result."
    )
    metadata: NewMetadata = Field(None, description="Merged into that of the batch, for the new one.")


class Apply(Schema):
    """What is absent is as in the batch."""

    parser: Parser | _ParserId = Field(None, description="What reads every page into JSON; none: no parser.")
    content: Literal["page", "main"] | None = Field(None, description="What becomes markdown and text.")
    links_on_page: LinksOnPage | None = None
    on_blocked: Literal["fail", "keep"] | None = None
    metadata: NewMetadata = Field(None, description="Merged into that of the batch, for the new one.")
    webhook: Annotated[str | None, _or_empty(_URL)] = Field(None, description="In the place of the batch's.")


class Append(Schema):
    items: list[NewItem]


class TryWebhook(Schema):
    webhook: Annotated[str, WithJsonSchema(_URL)] = Field(description="The http or https URL to try.")


class Recover(Schema):
    since: float = Field(ge=0, le=LATEST, description="Events from then on, in seconds since the epoch.")
