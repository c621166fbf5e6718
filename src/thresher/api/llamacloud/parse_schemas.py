"""What the routes of parse jobs answer, for /openapi.json. The answers themselves are written without these."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from thresher.api.llamacloud.parse_job import Status


class ParseJob(BaseModel):
    """A parse job: one file, or one URL, and what became of it."""

    id: str
    project_id: str
    status: Status
    created_at: datetime
    updated_at: datetime
    error_message: str | None = Field(description="A code, and what it means here, of a job that failed.")
    name: str = Field(description="The name of the file, or the URL.")
    tier: str | None = Field(description="As it was asked for; it changes nothing here.")
    user_metadata: dict[str, str] | None
    usage: dict[str, int] | None = Field(None, description="With `expand=usage`: the pages that were converted.")


class ParseJobs(BaseModel):
    items: list[ParseJob]
    next_page_token: str | None
    total_size: int | None


class FailedPage(BaseModel):
    page_number: int
    error: str
    success: Literal[False]


class MarkdownPage(BaseModel):
    page_number: int = Field(description="From 1 on, in the document.")
    markdown: str
    success: Literal[True]


class TextPage(BaseModel):
    page_number: int
    text: str


class ItemsPage(BaseModel):
    page_number: int
    page_width: float = Field(description="In points; 0 where the format has no size.")
    page_height: float
    items: list[dict[str, Any]] = Field(
        description="In reading order. Each has `type`, `md` and `bbox`; by type: docs/documents.md."
    )
    success: Literal[True]


class MetadataPage(BaseModel):
    page_number: int
    printed_page_number: str | None
    speaker_notes: str | None
    sheet_name: str | None


class FormsPage(BaseModel):
    page_number: int
    forms: list[Any] = Field(description="Always empty: forms are not told from other text.")
    success: Literal[True]


class Markdown(BaseModel):
    pages: list[MarkdownPage | FailedPage]


class Text(BaseModel):
    pages: list[TextPage]


class Items(BaseModel):
    pages: list[ItemsPage | FailedPage]


class PageMetadata(BaseModel):
    pages: list[MetadataPage]


class Forms(BaseModel):
    pages: list[FormsPage | FailedPage]


class ContentFile(BaseModel):
    size_bytes: int
    exists: bool = Field(description="False for what is not made here.")
    presigned_url: str | None = Field(description="Opens without a key, for THRESHER_HOSTED_URL_SECONDS.")


class Images(BaseModel):
    total_count: int = Field(description="Always 0: pictures are not taken out.")
    images: list[Any]


class ParseResult(BaseModel):
    """A job, and of its result what `expand` names."""

    job: ParseJob
    markdown: Markdown | None = None
    text: Text | None = None
    items: Items | None = None
    metadata: PageMetadata | None = None
    forms: Forms | None = None
    markdown_full: str | None = None
    text_full: str | None = None
    job_metadata: dict[str, Any] | None = None
    images_content_metadata: Images | None = None
    result_content_metadata: dict[str, ContentFile] | None = None


class Versions(BaseModel):
    """What may be sent as `version`, by tier."""

    fast: list[str]
    cost_effective: list[str]
    agentic: list[str]
    agentic_plus: list[str]
