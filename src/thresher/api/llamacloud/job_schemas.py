"""Batch jobs as models: what requests may hold, and, for /openapi.json and /docs alone, the answers."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema

from thresher.api.llamacloud.values import Label, Labels, Parameters, Text
from thresher.domain.states import ItemStatus

JobType = Literal["parse", "extract", "classify"]
Status = Literal["pending", "running", "dispatched", "completed", "failed", "cancelled"]

_ONE_SOURCE: JsonDict = {
    "oneOf": [
        {"required": [one], "properties": {one: {"type": kind}, other: {"type": "null"}}}
        for one, kind, other in (("directory_id", "string", "item_ids"), ("item_ids", "array", "directory_id"))
    ]
}


class ParseConfig(BaseModel):
    """What is to be done with each file. All but the parameters and the webhook is kept and given back, and means nothing here."""

    job_name: Literal["parse_raw_file_job"] = "parse_raw_file_job"
    parameters: Parameters | None = Field(
        None,
        description="In the words of the first version of that API; unknown ones are kept, keys of vendors are not.",
    )
    partitions: Labels | None = None
    session_id: Label | None = None
    correlation_id: Label | None = None
    parent_job_execution_id: Label | None = None
    user_id: Label | None = None
    project_id: Label | None = None
    webhook_url: Text | None = Field(
        None,
        description="Told when the batch is over. Absent: `webhook_url`, or the first of `webhook_configurations`, of the parameters.",
        json_schema_extra={"format": "uri"},
    )
    rules: SkipJsonSchema[Any] = None  # only a job of classification has them


class NewBatchJob(BaseModel):
    model_config = {"json_schema_extra": _ONE_SOURCE}

    job_config: ParseConfig
    directory_id: str | None = Field(None, description="All files that are in this directory now.")
    item_ids: list[str] | None = Field(
        None, min_length=1, description="These files of directories (`dfl-…`), or files by their own ids; each once."
    )
    page_size: int = Field(100, ge=1, le=1000, description="Means nothing here: a batch is made whole.")
    continue_as_new_threshold: int | None = Field(None, ge=1, description="Means nothing here.")


class CancelBatchJob(BaseModel):
    reason: Text | None = Field(None, max_length=2000, description="Shown as the job's `error_message`.")


class BatchJob(BaseModel):
    id: str = Field(description="`bjb-` and a UUID; a batch of this id is there on `/v1/batches`, too.")
    status: Status = Field(
        description="pending until the first file is taken in hand; completed whatever became of each file."
    )
    job_type: JobType
    project_id: str
    directory_id: str | None
    total_items: int
    processed_items: int = Field(description="Completed, failed and skipped ones.")
    failed_items: int
    skipped_items: int
    workflow_id: str | None
    job_record_id: str | None
    error_message: str | None = Field(
        description="Of a failed one that its time was over; of a cancelled one the reason."
    )
    effective_at: datetime = Field(description="Since when it has this status.")
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class BatchJobStatus(BaseModel):
    job: BatchJob
    progress_percentage: float = Field(ge=0, le=100)


class BatchJobs(BaseModel):
    items: list[BatchJob]
    next_page_token: None
    total_size: int


class CancelledBatchJob(BaseModel):
    job_id: str
    status: Status
    processed_items: int
    message: str


class BatchJobItem(BaseModel):
    item_id: str = Field(description="As in `item_ids`.")
    item_name: str = Field(description="What the file was called when the job was made.")
    status: ItemStatus
    job_id: str | None = Field(
        description="By which the result is read; of one already processed, the earlier result's."
    )
    job_record_id: str | None
    error_message: str | None = Field(description="Begins with a code.")
    skip_reason: Literal["already_processed", "size_limit_exceeded"] | None
    effective_at: datetime = Field(description="Since when it has this status.")
    started_at: datetime | None
    completed_at: datetime | None


class BatchJobItems(BaseModel):
    items: list[BatchJobItem]
    next_page_token: None
    total_size: int = Field(description="How many there are of this status.")


class ProcessingResult(BaseModel):
    result_id: str = Field(description="The `job_id` by which the result is read.")
    item_id: str
    job_type: JobType
    job_config: dict[str, Any]
    parameters_hash: str = Field(description="The same for the same parameters.")
    output_s3_path: str = Field(description="The URL of the result, which needs the key.")
    output_metadata: dict[str, Any] | None
    processed_at: datetime


class ProcessingResults(BaseModel):
    item_id: str
    item_name: str
    processing_results: list[ProcessingResult] = Field(description="Newest first, 100 at most.")
