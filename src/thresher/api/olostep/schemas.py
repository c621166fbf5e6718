"""The answers of the Olostep face as models, for /openapi.json and /docs alone: they are written elsewhere."""

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from thresher.domain.change import Change
from thresher.domain.webhook import Subject

T = TypeVar("T")

Maybe: TypeAlias = T | SkipJsonSchema[None]
"""Of an answer: absent when there is none, never null."""

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

_SKIP_REASON = Field(
    None,
    description="Of one that was skipped: there is a result of the same bytes, that of the item `reused`; or it is too large.",
)
_MAIN_CONTENT = Field(
    None,
    description="Of a result under `content: main`: true, or false if it has no main content and is of the whole page.",
)

_URL = Field(description="As it was sent; of a file `file:` and its id.")
_FILE_ID = Field(None, description="Of an item that is a file.")
_FILE_NAME = Field(None, description="Of an item that is a file: what it is called.")

_PAGES = Field(
    None,
    description="If `formats` asks for them: the pages, slides or sheets of a document. docs/documents.md says what one has.",
)
_OF_BATCH = Field(None, description="With `lineage=merged`: the batch that this result is of.")


class Schema(BaseModel):
    model_config = ConfigDict(extra="allow")


_FETCHED_AT = Field(
    None, description="Of a stored page that was used again: when it was fetched or last confirmed, UTC."
)
_REUSED = Field(None, description="The `retrieve_id` of the item that the page was stored for.")


class Counts(Schema):
    total: int
    pending: int
    processing: int
    completed: int
    failed: int
    skipped: int
    cancelled: int


class ParserStats(Schema):
    """What the parser has made of the pages that it was given. Items without a page to read are not among them."""

    tried: int
    matched: int
    no_match: int = Field(description="Pages in which it found nothing.")
    failed: int = Field(description="Pages that it could not read.")
    rate: float | None = Field(description="Matched of tried, from 0 to 1; null before the first.")


class Changes(Schema):
    """Custom_ids of either batch by what became of them. Without a result: failed, cancelled or skipped."""

    new: int = Field(description="Only in the later batch.")
    changed: int
    same: int
    gone: int = Field(description="Only in the earlier batch.")
    recovered: int = Field(description="A result now, and none before.")
    lost: int = Field(description="A result before, and none now.")
    failed: int = Field(description="No result in either.")
    unknown: int = Field(description="Results in both that cannot be compared.")


class Batch(Schema):
    id: str
    object: Literal["batch"]
    status: Literal["in_progress", "completed"]
    created: int = Field(description="Seconds since the epoch.")
    total_urls: int
    completed_urls: int = Field(description="Items that have a result.")
    number_retried: int = Field(description="0, or of a retry one more than of the batch that it retries.")
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
    parser_stats: Maybe[ParserStats] = Field(None, description="Of a batch, or items, with a parser.")
    country: Maybe[str] = None
    batch_country: Maybe[str] = None
    robots: Maybe[Literal["obey", "report", "ignore"]] = Field(
        None, description="As chosen at the creation; absent: obey."
    )
    on_blocked: Maybe[Literal["fail", "keep"]] = Field(None, description="As chosen at the creation; absent: fail.")
    max_age: Maybe[float] = Field(None, description="As chosen at the creation; absent: no stored page is used again.")
    content: Maybe[Literal["page", "main"]] = Field(None, description="As chosen at the creation; absent: page.")
    webhook: Maybe[str] = None
    webhook_events: Maybe[list[Subject]] = Field(None, description="As chosen at the creation.")
    webhook_only_changes: Maybe[Literal[True]] = Field(None, description="As chosen at the creation.")
    compare_with: Maybe[str] = Field(None, description="The earlier batch that it is compared with.")
    changes: Changes | None = Field(
        None, description="With `compare_with`: how many custom_ids became what. null until they are counted."
    )
    retry_of: Maybe[str] = Field(None, description="Of a retry: the batch whose items it takes up.")
    applied_to: Maybe[str] = Field(None, description="Of a batch made of stored pages: the batch whose pages they are.")
    finished_at: Maybe[int] = None


class Applied(Batch):
    without_page: int = Field(
        description="Items of the other batch of which no page is stored; they are not in this one."
    )


class Batches(Schema):
    object: Literal["list"]
    data: list[Batch]


class Deleted(Schema):
    id: str
    object: Literal["batch"]
    deleted: Literal[True]
    counts: Counts
    outcome: Literal["all_ok", "partial", "all_failed", "cancelled", "expired"]


class ItemError(Schema):
    code: str
    message: str
    retryable: bool
    remedy: str


class Verdict(Schema):
    code: Literal["site_blocked", "login_required", "soft_404", "empty_page"]
    evidence: list[str]


class ChosenLinks(Schema):
    absolute_links: bool
    include_links: Maybe[list[str]] = None
    exclude_links: Maybe[list[str]] = None
    query_to_order_links_by: Maybe[str] = None


class Options(Schema):
    """What an item chooses for itself; its headers are not told."""

    parser: Maybe[str] = None
    content: Maybe[Literal["page", "main"]] = None
    timeout: Maybe[float] = Field(None, description="Seconds that an attempt may take.")
    links_on_page: Maybe[ChosenLinks] = None


class EffectiveOptions(Schema):
    robots: Literal["obey", "report", "ignore"]
    on_blocked: Literal["fail", "keep"]
    country: str | None
    parser: str
    content: Literal["page", "main"]
    timeout: float
    links_on_page: ChosenLinks | None
    parse: Maybe[dict[str, Any]] = Field(None, description="Of a batch of the parse API: its parameters.")


class Item(Schema):
    custom_id: str
    url: str = _URL
    file_id: Maybe[str] = _FILE_ID
    name: Maybe[str] = _FILE_NAME
    status: Literal["pending", "processing", "completed", "failed", "skipped", "cancelled"]
    id: str = Field(description="For /v1/items/{id}/explain.")
    retrieve_id: Maybe[str] = Field(None, description="The same, for /v1/retrieve; absent while the item is unsettled.")
    batch_id: Maybe[str] = _OF_BATCH
    metadata: Maybe[Metadata] = None
    options: Maybe[Options] = None
    http_status: Maybe[int] = None
    error: Maybe[ItemError] = None
    verdict: Maybe[Verdict] = Field(None, description="Of an answer that is not the page, failed or kept.")
    links_on_page: Maybe[list[str]] = Field(None, description="Of a completed item, if the batch asked for them.")
    country: Maybe[str] = _COUNTRY
    country_applied: Maybe[bool] = _COUNTRY_APPLIED
    fetched_at: Maybe[str] = _FETCHED_AT
    reused: Maybe[str] = _REUSED
    skip_reason: Maybe[Literal["already_processed", "size_limit_exceeded"]] = _SKIP_REASON
    main_content: Maybe[bool] = _MAIN_CONTENT
    html_content: str | None = Field(None, description="Contents are there if `formats` asks for them.")
    markdown_content: str | None = None
    text_content: str | None = None
    json_content: str | None = None
    pages_content: list[dict[str, Any]] | None = _PAGES
    size_exceeded: Maybe[bool] = Field(None, description="true: the contents are too large for a page; retrieve them.")


class Items(Schema):
    id: str
    batch_id: str
    object: str
    status: Literal["in_progress", "completed"]
    items: list[Item]
    items_count: int = Field(description="All items under the filter, on all pages.")
    cursor: Maybe[int] = Field(None, description="For the next page; absent on the last one.")


class Difference(Schema):
    custom_id: str
    status: Change
    compared: Maybe[Literal["markdown", "json"]] = Field(None, description="Of same and changed: what was compared.")
    now: Item | None = Field(description="In the later batch.")
    before: Item | None = Field(description="In the earlier one.")
    diff: str | None = Field(None, description="With `text=true`, of changed: a unified diff; null if there is none.")
    diff_error: Maybe[Literal["too_large", "missing"]] = Field(None, description="Why there is none.")


class Diff(Schema):
    object: Literal["list"]
    batch_id: str
    with_: str = Field(alias="with")
    counts: Maybe[Changes] = Field(None, description="On the first page.")
    data: list[Difference]
    cursor: Maybe[int] = Field(None, description="For the next page; absent on the last one.")


class Window(Schema):
    """A part of each content. `total_chars` and `next_offset` are by format; null is the end."""

    offset: int
    max_chars: int | None
    total_chars: dict[str, int]
    next_offset: dict[str, int | None]


class Content(Schema):
    id: str
    retrieve_id: str
    url: str = _URL
    file_id: Maybe[str] = _FILE_ID
    name: Maybe[str] = _FILE_NAME
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
    pages_content: list[dict[str, Any]] | None = _PAGES
    pages_hosted_url: str | None = None
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
    fetched_at: Maybe[str] = _FETCHED_AT
    reused: Maybe[str] = _REUSED
    skip_reason: Maybe[Literal["already_processed", "size_limit_exceeded"]] = _SKIP_REASON
    main_content: Maybe[bool] = _MAIN_CONTENT


class Waiting(Schema):
    what: Literal["start", "stop", "upkeep", "worker", "host", "retry", "bucket", "queue"]
    until: str | None = Field(description="UTC; null if it is not known.")
    text: str


class Step(Schema):
    at: str = Field(description="When it began, UTC.")
    ms: float | None = Field(description="How long it took; null for a moment.")
    what: str
    text: str
    attempt: Maybe[int] = Field(None, description="From 1; absent in what is of no attempt.")


class Explanation(Schema):
    id: str
    object: Literal["explanation"]
    retrieve_id: str
    batch_id: str
    custom_id: str
    url: str = _URL
    file_id: Maybe[str] = _FILE_ID
    name: Maybe[str] = _FILE_NAME
    status: Literal["pending", "processing", "completed", "failed", "skipped", "cancelled"]
    waiting_for: Waiting | None = Field(description="Of an item without an end.")
    http_status: int | None
    final_url: str | None = Field(description="After redirects.")
    code: str | None = Field(description="Why there is no result.")
    message: str | None
    retryable: bool | None
    remedy: str | None = Field(description="What can be done about it, in a sentence for this item.")
    verdict: Verdict | None
    attempts: int = Field(description="How often it was tried, redirects to other hosts not counted.")
    reused: Maybe[str] = _REUSED
    skip_reason: Maybe[Literal["already_processed", "size_limit_exceeded"]] = _SKIP_REASON
    effective_options: EffectiveOptions = Field(description="What holds for the item; its headers are not told.")
    finished_at: str | None
    timeline: list[Step] = Field(description="The oldest first.")


class ExportLine(Schema):
    """One finished item. Contents that were not asked for are absent; those that there are not are null."""

    cursor: int = Field(description="For the export that goes on after this line.")
    custom_id: str
    url: str = _URL
    file_id: Maybe[str] = _FILE_ID
    name: Maybe[str] = _FILE_NAME
    final_url: str | None = Field(description="After redirects.")
    status: Literal["completed", "failed", "skipped", "cancelled"]
    http_status: int | None
    title: str | None
    markdown: str | None = None
    links: list[str] | None = None
    html: str | None = None
    text: str | None = None
    json_content: str | None = Field(None, alias="json")
    pages: list[dict[str, Any]] | None = _PAGES
    error: ItemError | None
    attempts: int
    retrieve_id: str
    verdict: Maybe[Verdict] = Field(None, description="Of an answer that is not the page, failed or kept.")
    metadata: Maybe[Metadata] = None
    country: Maybe[str] = _COUNTRY
    country_applied: Maybe[bool] = _COUNTRY_APPLIED
    fetched_at: Maybe[str] = _FETCHED_AT
    reused: Maybe[str] = _REUSED
    skip_reason: Maybe[Literal["already_processed", "size_limit_exceeded"]] = _SKIP_REASON
    main_content: Maybe[bool] = _MAIN_CONTENT
    batch_id: Maybe[str] = _OF_BATCH


class Error(Schema):
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
