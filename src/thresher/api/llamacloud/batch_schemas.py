"""Batches of the second version as models: what requests may hold, and, for /openapi.json and /docs alone, the answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from thresher.api.llamacloud.paging import Page

PRESET = r"^cfg-PARSE_[A-Z_]{1,40}$"

Status = Literal["PENDING", "THROTTLED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]


class BatchOf(BaseModel):
    type: Literal["parse_v2"] = Field(description="Extraction is not supported by this server.")
    configuration_id: Annotated[str, StringConstraints(pattern=PRESET)] = Field(
        description="A preset: `cfg-PARSE_` and a tier, as in `cfg-PARSE_AGENTIC`."
    )


class BatchConfig(BaseModel):
    job: BatchOf


class NewParseBatch(BaseModel):
    source_directory_id: str = Field(description="All files that are in this directory now, 1,000 at most.")
    config: BatchConfig
    webhook_configurations: list[dict[str, Any]] | None = Field(
        None, max_length=4, description="The `webhook_url` of the first is told when the batch is over."
    )


class JobReference(BaseModel):
    type: Literal["parse_v2"]
    id: str = Field(description="By which the result is read.")


class FileResult(BaseModel):
    source_directory_file_id: str
    job_reference: JobReference | None
    error_message: str | None = Field(description="Why there is no job. Whether a job failed, it tells itself.")


class ParseBatch(BaseModel):
    id: str = Field(description="`bat-` and a UUID; a batch of this id is there on `/v1/batches`, too.")
    project_id: str
    source_directory_id: str
    config: BatchConfig
    status: Status = Field(description="COMPLETED whatever became of each file.")
    created_at: datetime
    updated_at: datetime
    results: list[FileResult] | None = Field(description="Of a batch that is over, if `expand` asks for it.")


class ParseBatchPage(Page):
    items: list[ParseBatch]
