"""The configuration of a single parse, as a model and as what the engine is told.

Of each part only those members are named that change something here; all others are kept as they came.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from thresher.api import receivers
from thresher.api.llamacloud.errors import invalid
from thresher.api.llamacloud.values import BEYOND, MAX_PARAMETERS, Text, kept
from thresher.api.olostep.urls import read_url
from thresher.domain import metadata, parse_v2, url
from thresher.domain.parse import ParseJob
from thresher.domain.problem import Problem, ProblemCode
from thresher.settings import Settings

Ratio = Annotated[float, Field(ge=0, le=1)]
_Key = Annotated[str, StringConstraints(max_length=metadata.MAX_KEY, pattern=r"^[^\[\]\x00]*$")]
_Value = Annotated[str, StringConstraints(max_length=metadata.MAX_VALUE, pattern=r"^[^\x00]*$")]
Tier = Literal["fast", "cost_effective", "agentic", "agentic_plus"]

PAGES = r"^\s*\d{1,6}(\s*-\s*\d{1,6})?\s*(,\s*\d{1,6}(\s*-\s*\d{1,6})?\s*)*$"
_ONE_SOURCE: JsonDict = {
    "oneOf": [
        {"required": [one], "properties": {one: {"type": "string"}, other: {"type": "null"}}}
        for one, other in (("file_id", "source_url"), ("source_url", "file_id"))
    ]
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class PageRanges(_Part):
    target_pages: str | None = Field(None, pattern=PAGES, description="`1,3,5-8`, from 1 on.", examples=["1,3,5-8"])
    max_pages: int | None = Field(None, ge=1, le=1_000_000, description="Without effect beside `target_pages`.")


class CropBox(_Part):
    """What is kept of each page, as fractions of it from its left and its top."""

    top: Ratio | None = None
    right: Ratio | None = None
    bottom: Ratio | None = None
    left: Ratio | None = None


class SpreadsheetOptions(_Part):
    include_hidden_sheets: bool | None = None


class HtmlOptions(_Part):
    remove_navigation_elements: bool | None = Field(None, description="true: the main content alone.")


class InputOptions(_Part):
    html: HtmlOptions | None = None
    spreadsheet: SpreadsheetOptions | None = None


class TableOptions(_Part):
    output_tables_as_markdown: bool | None = Field(None, description="false: as HTML. Absent: as markdown.")


class MarkdownOptions(_Part):
    annotate_links: bool | None = None
    tables: TableOptions | None = None


class SpatialText(_Part):
    preserve_very_small_text: bool | None = None


class OutputOptions(_Part):
    markdown: MarkdownOptions | None = None
    spatial_text: SpatialText | None = None


class Ignored(_Part):
    ignore_diagonal_text: bool | None = None
    ignore_text_in_image: bool | None = Field(None, description="true: no OCR.")


class OcrParameters(_Part):
    languages: list[Text] | None = None


class ProcessingOptions(_Part):
    ignore: Ignored | None = None
    ocr_parameters: OcrParameters | None = None


class Timeouts(_Part):
    base_in_seconds: int | None = Field(None, ge=0, le=7200, description="At most THRESHER_DOCUMENT_TIMEOUT counts.")


class FailureConditions(_Part):
    allowed_page_failure_ratio: Ratio | None = None


class ProcessingControl(_Part):
    timeouts: Timeouts | None = None
    job_failure_conditions: FailureConditions | None = None


class WebhookConfiguration(_Part):
    webhook_url: Text | None = None


class ParseConfiguration(BaseModel):
    """How a document is to be parsed. Parts of it that are not named here are refused, members of its parts are kept."""

    model_config = ConfigDict(extra="forbid")

    tier: Tier = Field(description="Told again with the job; all are converted alike here.")
    version: Text = Field(description="Any; there is one.", examples=["latest"])
    configuration_id: Text | None = Field(None, description="Taken, and of no use.")
    client_name: Text | None = None
    disable_cache: bool | None = Field(None, description="Convert it again, though there is a result of it.")
    page_ranges: PageRanges | None = None
    crop_box: CropBox | None = None
    input_options: InputOptions | None = None
    output_options: OutputOptions | None = None
    processing_options: ProcessingOptions | None = None
    processing_control: ProcessingControl | None = None
    agentic_options: dict[str, Any] | None = None
    fast_options: dict[str, Any] | None = None
    http_proxy: Text | None = Field(None, description="Taken, and not used.")
    user_metadata: dict[_Key, _Value] | None = Field(
        None, max_length=metadata.MAX_KEYS, description="The metadata of the batch that a parse is."
    )
    webhook_configuration_ids: list[Text] | None = Field(None, description="Taken, and of no use.")
    webhook_configurations: list[WebhookConfiguration] | None = Field(
        None, description="The `webhook_url` of the first is told when the job is over."
    )


class ParseRequest(ParseConfiguration):
    """The same, with what is to be parsed: a file, or a URL."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_SOURCE)

    file_id: UUID | None = None
    source_url: str | None = Field(None, json_schema_extra={"format": "uri"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A parse to be, without what it is of."""

    parse: ParseJob
    metadata: dict[str, str]
    webhook: str | None


_ABOUT_THE_JOB = {"file_id", "source_url", "user_metadata"}


def read(asked: ParseConfiguration, settings: Settings, place: str = "body") -> Wanted:
    """What no model finds is looked for here. Raises RequestValidationError."""
    try:
        said = kept(asked.model_dump(mode="json", exclude_none=True, exclude=_ABOUT_THE_JOB), MAX_PARAMETERS)
        parse = ParseJob.asked(parse_v2.parameters_of(said), first_page=1)
    except ValueError as error:
        named = ("page_ranges", "target_pages") if re.match("target_pages", str(error)) else ()
        raise invalid(place, *named, msg=str(error), kind=BEYOND) from None
    hooks = asked.webhook_configurations or []
    return Wanted(parse, asked.user_metadata or {}, _receiver(hooks, settings, place))


def read_source(asked: ParseRequest, settings: Settings) -> UUID | url.Url:
    """What is to be parsed: a file's id, or a URL. Raises RequestValidationError; Problem(validation_error)."""
    if asked.file_id is not None and asked.source_url is None:
        return asked.file_id
    if asked.source_url is None or asked.file_id is not None:
        raise Problem(ProblemCode.VALIDATION_ERROR, "Either file_id or source_url must be provided, and not both.")
    try:
        return read_url(asked.source_url, settings.max_url_bytes)
    except url.InvalidUrl as error:
        raise invalid("body", "source_url", msg=str(error)) from None


def _receiver(hooks: list[WebhookConfiguration], settings: Settings, place: str) -> str | None:
    found = hooks[0].webhook_url if hooks else None
    if found and (fault := receivers.fault(found, settings)):
        raise invalid(place, "webhook_configurations", 0, "webhook_url", msg=fault[0], kind=fault[1])
    return found or None
