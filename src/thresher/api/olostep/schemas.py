"""The Olostep face as models, for /openapi.json and /docs alone: requests are checked and replies written elsewhere."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    description="Whether there were such proxies. If not, the page was asked for as for a batch without a country.",
)


class _Schema(BaseModel):
    model_config = ConfigDict(extra="allow")


class NewItem(_Schema):
    url: str = Field(description="An http or https URL.", examples=["https://example.com/product/123"])
    custom_id: str | None = Field(
        None, description="Your own id of the item; one is made if absent.", examples=["product-123"]
    )
    metadata: Metadata | None = None


class Parser(_Schema):
    id: str


class LinksOnPage(_Schema):
    absolute_links: bool = Field(True, description="false: links to the page's own origin lose scheme and host.")
    query_to_order_links_by: str | None = Field(None, description="Absent: links are in the order of the page.")
    include_links: list[str] | None = Field(None, description="Glob patterns; absent: all links.")
    exclude_links: list[str] | None = Field(None, description="Glob patterns; they win over `include_links`.")


class CreateBatch(_Schema):
    items: list[NewItem] = Field(description="At least one, unless the batch is `open`.")
    open: bool = Field(False, description="More items are appended before the batch is started.")
    timeout: float | None = Field(
        None,
        gt=0,
        description="Seconds until the batch ends with what it has; of an open one counted again from its start.",
    )
    country: str | None = Field(None, description="ISO 3166-1 alpha-2, in any case, or RANDOM.")
    parser: Parser | None = None
    links_on_page: LinksOnPage | None = None
    metadata: Metadata | None = None
    webhook: str | None = Field(None, description="An http or https URL.")
    formats: list[str] | None = None
    wait_before_scraping: float | None = Field(None, ge=0, description="Milliseconds. Recorded; it changes nothing.")
    source: str = Field("api", min_length=1, max_length=40, description="Who makes the batch, for the list of batches.")
    robots: Literal["obey", "report", "ignore"] | None = Field(None, description="Absent: obey.")
    on_blocked: Literal["fail", "keep"] | None = Field(None, description="Absent: fail.")


class ChangeBatch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, str | float | bool | None] | Literal[""] | None = Field(
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
    country: str | None = None
    batch_country: str | None = None
    robots: Literal["obey", "report", "ignore"] | None = Field(
        None, description="As chosen at the creation; absent: obey."
    )
    on_blocked: Literal["fail", "keep"] | None = Field(None, description="As chosen at the creation; absent: fail.")
    webhook: str | None = None
    finished_at: int | None = None


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
    id: str | None = None
    retrieve_id: str | None = Field(None, description="For /v1/retrieve; absent while the item is unsettled.")
    metadata: Metadata | None = None
    http_status: int | None = None
    error: ItemError | None = None
    verdict: Verdict | None = Field(None, description="Of an answer that is not the page, failed or kept.")
    country: str | None = _COUNTRY
    country_applied: bool | None = _COUNTRY_APPLIED
    links_on_page: list[str] | None = Field(None, description="Of a completed item, if the batch asked for them.")
    html_content: str | None = Field(None, description="Contents are there if `formats` asks for them.")
    markdown_content: str | None = None
    text_content: str | None = None
    json_content: str | None = None
    size_exceeded: bool | None = Field(None, description="true: the contents are too large for a page; retrieve them.")


class Items(_Schema):
    id: str
    batch_id: str
    object: str
    status: Literal["in_progress", "completed"]
    items: list[Item]
    items_count: int = Field(description="All items under the filter, on all pages.")
    cursor: int | None = Field(None, description="For the next page; absent on the last one.")


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
    window: Window | None = Field(None, description="With `max_chars` or `offset`.")
    links_on_page: list[str]
    page_metadata: dict[str, Any]
    attempts: list[dict[str, Any]] = Field(description="Every attempt at the item, oldest first.")
    error: ItemError | None = None
    verdict: Verdict | None = Field(None, description="Of an answer that is not the page, failed or kept.")
    country: str | None = _COUNTRY
    country_applied: bool | None = _COUNTRY_APPLIED


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
    verdict: Verdict | None = Field(None, description="Of an answer that is not the page, failed or kept.")
    country: str | None = _COUNTRY
    country_applied: bool | None = _COUNTRY_APPLIED
    metadata: Metadata | None = None


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
