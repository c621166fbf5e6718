"""The Olostep face as models, for /openapi.json and /docs alone: requests are checked and replies written elsewhere.

What a request may hold is said exactly, down to lengths and characters: programs make requests from it, to the limits.
"""

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema

from thresher.api.olostep import items, link_options
from thresher.domain import metadata, source

T = TypeVar("T")

Maybe: TypeAlias = T | SkipJsonSchema[None]
"""Of an answer: absent when there is none, never null."""

_NO_NUL = r"^[^\u0000]*$"
_EMPTY = {"type": "string", "maxLength": 0}
_COUNTRY_CODE = {"type": "string", "format": "iso-3166-1-alpha-2", "pattern": "^([A-Za-z]{2}|RANDOM)$"}
SOURCE = {"type": "string", "format": "printable", "minLength": 1, "maxLength": source.MAX}
_URL = {"type": "string", "format": "uri"}

_Text = Annotated[str, Field(pattern=_NO_NUL)]

Metadata = Annotated[
    dict[str, str],
    Field(description="At most 50 pairs; keys up to 40 characters, without square brackets, values up to 500."),
]

_COUNTRY = Field(
    None,
    description="Of a batch with a country: the one whose proxies the page was asked for through; without any, the batch's own.",
)
_COUNTRY_APPLIED = Field(
    None,
    description="Whether there were such proxies. If not, the page was asked for the usual way, but in the languages of the country.",
)

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


class _Schema(BaseModel):
    model_config = ConfigDict(extra="allow")


class NewItem(_Schema):
    url: Annotated[str, WithJsonSchema(_URL)] = Field(
        description="An http or https URL, without a user name and password.",
        examples=["https://example.com/product/123"],
    )
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
        description="Your own id of the item; one is made if absent. The same one for two different URLs is refused.",
        examples=["product-123"],
    )
    metadata: NewMetadata = None


class Parser(_Schema):
    id: Literal["none", ""] | None = Field(None, description="There is none yet.")


# More than blanks.
_Globs = Annotated[
    list[Annotated[str, Field(pattern=r"^[^\u0000]*[^\s\u0000-\u001f][^\u0000]*$")]],
    Field(max_length=link_options.MAX_PATTERNS),
]


class LinksOnPage(_Schema):
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


# A batch has items, unless it is open: then they may come later.
_SOME_ITEMS: JsonDict = {
    "anyOf": [
        {"required": ["items"], "properties": {"items": {"type": "array", "minItems": 1}}},
        {"required": ["open"], "properties": {"open": {"const": True}}},
        {
            "required": ["urls"],
            "properties": {"urls": {"type": "array", "minItems": 1}, "items": {"type": "null"}},
        },
    ]
}


class CreateBatch(_Schema):
    model_config = ConfigDict(extra="allow", json_schema_extra=_SOME_ITEMS)

    items: list[NewItem] | None = Field(None, description="At least one, unless the batch is `open`.")
    urls: list[Annotated[str, WithJsonSchema(_URL)]] | None = Field(
        None, description="Instead of `items`: the URLs alone.", deprecated=True
    )
    open: bool | None = Field(None, description="More items are appended before the batch is started.")
    timeout: float | None = Field(
        None,
        description="Seconds until the batch ends with what it has; of an open one counted again from its start.",
        json_schema_extra={"exclusiveMinimum": 0},
    )
    country: Annotated[str | None, _or_empty(_COUNTRY_CODE)] = Field(
        None, description="ISO 3166-1 alpha-2, in any case, or RANDOM.", examples=["US"]
    )
    parser: Parser | Literal["none", ""] | None = Field(None, description="An object with an id, or the id alone.")
    links_on_page: LinksOnPage | None = None
    metadata: NewMetadata = None
    webhook: Annotated[str | None, _or_empty(_URL)] = Field(None, description="An http or https URL.")
    formats: list[_Text] | _Text | None = Field(None, description="Recorded; it changes nothing.")
    wait_before_scraping: float | None = Field(None, ge=0, description="Milliseconds. Recorded; it changes nothing.")
    source: Annotated[str, WithJsonSchema(SOURCE)] | None = Field(
        None, description="Who makes the batch, for the list of batches. Absent: api.", examples=["nightly"]
    )
    robots: Literal["obey", "report", "ignore"] | None = Field(None, description="Absent: obey.")
    on_blocked: Literal["fail", "keep"] | None = Field(None, description="Absent: fail.")


class ChangeBatch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    metadata: NewMetadata = Field(
        description='Merged into what there is: null or "" deletes a key, and null or "" alone all of them.'
    )


class Append(_Schema):
    items: list[NewItem]


class Counts(_Schema):
    total: int
    pending: int
    processing: int
    completed: int
    failed: int
    skipped: int
    cancelled: int


class Batch(_Schema):
    id: str
    object: Literal["batch"]
    status: Literal["in_progress", "completed"]
    created: int = Field(description="Seconds since the epoch.")
    total_urls: int
    completed_urls: int = Field(description="Items that have a result.")
    number_retried: int
    parser: str
    batch_parser: str
    start_date: str
    metadata: Metadata
    source: str
    credits_consumed: int | None
    cost_usd: float | None
    state: Literal["open", "running", "stopping", "done"]
    deadline: int = Field(description="When the batch ends at the latest, in seconds since the epoch.")
    outcome: Literal["all_ok", "partial", "all_failed", "cancelled", "expired"] | None
    counts: Counts
    rate: float | None = Field(description="Items finished a second: lately, or of a batch that is done on average.")
    eta: int | None = Field(description="When it will be done at this rate, in seconds since the epoch.")
    country: Maybe[str] = None
    batch_country: Maybe[str] = None
    robots: Maybe[Literal["obey", "report", "ignore"]] = Field(
        None, description="As chosen at the creation; absent: obey."
    )
    on_blocked: Maybe[Literal["fail", "keep"]] = Field(None, description="As chosen at the creation; absent: fail.")
    webhook: Maybe[str] = None
    finished_at: Maybe[int] = None


class Batches(_Schema):
    object: Literal["list"]
    data: list[Batch]


class Deleted(_Schema):
    id: str
    object: Literal["batch"]
    deleted: Literal[True]
    counts: Counts
    outcome: Literal["all_ok", "partial", "all_failed", "cancelled", "expired"]


class ItemError(_Schema):
    code: str
    message: str
    retryable: bool
    remedy: str


class Verdict(_Schema):
    code: Literal["site_blocked", "login_required", "soft_404", "empty_page"]
    evidence: list[str]


class Item(_Schema):
    custom_id: str
    url: str
    status: Literal["pending", "processing", "completed", "failed", "skipped", "cancelled"]
    id: Maybe[str] = None
    retrieve_id: Maybe[str] = Field(None, description="For /v1/retrieve; absent while the item is unsettled.")
    metadata: Maybe[Metadata] = None
    http_status: Maybe[int] = None
    error: Maybe[ItemError] = None
    verdict: Maybe[Verdict] = Field(None, description="Of an answer that is not the page, failed or kept.")
    links_on_page: Maybe[list[str]] = Field(None, description="Of a completed item, if the batch asked for them.")
    country: Maybe[str] = _COUNTRY
    country_applied: Maybe[bool] = _COUNTRY_APPLIED
    html_content: str | None = Field(None, description="Contents are there if `formats` asks for them.")
    markdown_content: str | None = None
    text_content: str | None = None
    json_content: str | None = None
    size_exceeded: Maybe[bool] = Field(None, description="true: the contents are too large for a page; retrieve them.")


class Items(_Schema):
    id: str
    batch_id: str
    object: str
    status: Literal["in_progress", "completed"]
    items: list[Item]
    items_count: int = Field(description="All items under the filter, on all pages.")
    cursor: Maybe[int] = Field(None, description="For the next page; absent on the last one.")


class Window(_Schema):
    """A part of each content. `total_chars` and `next_offset` are by format; null is the end."""

    offset: int
    max_chars: int | None
    total_chars: dict[str, int]
    next_offset: dict[str, int | None]


class Content(_Schema):
    id: str
    retrieve_id: str
    url: str
    custom_id: str
    success: bool
    size_exceeded: bool = Field(description="The contents are too much for one answer; their URLs are there.")
    html_content: str | None
    markdown_content: str | None
    text_content: str | None
    json_content: str | None = Field(description="An object, as text.")
    html_hosted_url: str | None = Field(
        description="The content under a URL of its own, which needs no key and expires."
    )
    markdown_hosted_url: str | None
    text_hosted_url: str | None
    json_hosted_url: str | None
    screenshot_hosted_url: None
    file_hosted_url: None
    window: Maybe[Window] = Field(None, description="With `max_chars` or `offset`.")
    links_on_page: list[str]
    page_metadata: dict[str, Any]
    attempts: list[dict[str, Any]] = Field(description="Every attempt at the item, oldest first.")
    error: Maybe[ItemError] = None
    verdict: Maybe[Verdict] = Field(None, description="Of an answer that is not the page, failed or kept.")
    country: Maybe[str] = _COUNTRY
    country_applied: Maybe[bool] = _COUNTRY_APPLIED


class ExportLine(_Schema):
    """One finished item. Contents that were not asked for are absent; those that there are not are null."""

    cursor: int = Field(description="For the export that goes on after this line.")
    custom_id: str
    url: str
    final_url: str | None = Field(description="After redirects.")
    status: Literal["completed", "failed", "skipped", "cancelled"]
    http_status: int | None
    title: str | None
    markdown: str | None = None
    links: list[str] | None = None
    html: str | None = None
    text: str | None = None
    json_content: str | None = Field(None, alias="json")
    error: ItemError | None
    attempts: int
    retrieve_id: str
    verdict: Maybe[Verdict] = Field(None, description="Of an answer that is not the page, failed or kept.")
    metadata: Maybe[Metadata] = None
    country: Maybe[str] = _COUNTRY
    country_applied: Maybe[bool] = _COUNTRY_APPLIED


class Error(_Schema):
    """RFC 9457 problem details."""

    id: str
    object: Literal["error"]
    code: str
    type: str
    status: int
    title: str
    detail: str
    created: int
    metadata: dict[str, str]
    message: str
    errors: list[dict[str, Any]]
    remedy: str
