"""Files as models: what requests may hold, and, for /openapi.json and /docs alone, the answers."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, WithJsonSchema

from thresher.api.llamacloud.paging import MOST, Page
from thresher.api.llamacloud.values import MAX_NAME, NO_NUL, Name, Text
from thresher.storage.file_list import SORTS

Purpose = Literal["user_data", "parse", "extract", "split", "classify", "sheet", "agent_app"]

MOST_IDS = 1000  # that a list can be asked for

_EXTERNAL = {
    "type": "string",
    "maxLength": MAX_NAME,
    "pattern": NO_NUL,
    "description": "What the file is called elsewhere; kept as it is.",
}

ORDER = "Fields, with commas between, each with ` desc` behind it or not. Absent: the order of the uploads."
_ONE = f" *({'|'.join(SORTS)})( +(asc|desc))? *"
OrderBy = Annotated[str, StringConstraints(pattern=f"^({_ONE}(,{_ONE})*)?$")]


class UploadFields(BaseModel):
    """What is sent beside a file."""

    purpose: Purpose = Field(description="What the file is for. All are kept alike.")
    external_file_id: Annotated[Name | None, WithJsonSchema(_EXTERNAL)] = None


class FileFilter(BaseModel):
    """null: any."""

    project_id: UUID | None = None
    file_ids: list[UUID] | None = Field(None, max_length=MOST_IDS)
    file_name: Text | None = Field(None, description="Exactly this name.")
    external_file_id: Text | None = None
    data_source_id: Text | None = Field(None, description="No file is of a data source here.")
    only_manually_uploaded: bool | None = Field(None, description="All are.")


class FileQuery(BaseModel):
    filter: FileFilter | None = None
    order_by: OrderBy | None = Field(None, description=ORDER)
    page_size: int | None = Field(None, ge=1, description=f"Items in the page; more than {MOST} are {MOST}.")
    page_token: str | None = None


class PresignedUrl(BaseModel):
    url: str = Field(description="Good without a key, until it expires.")
    expires_at: datetime
    form_fields: dict[str, str] | None


class FileModel(BaseModel):
    id: UUID
    name: str
    project_id: UUID
    external_file_id: str | None
    file_type: str | None = Field(description="What the name ends with, without the dot.")
    last_modified_at: datetime | None
    expires_at: datetime | None = Field(description="When the file is deleted by itself.")
    purpose: str
    download_url: PresignedUrl | None = Field(description="If `expand` asks for it.")


class FilePage(Page):
    items: list[FileModel]


def upload_body(part: str, fields: dict[str, Any], needed: list[str]) -> dict[str, Any]:
    """The `openapi_extra` of a route that takes a file in the part of this name, and texts beside it."""
    file = {"type": "string", "format": "binary", "minLength": 1, "description": "The file, with a filename."}
    schema = {"type": "object", "properties": {part: file, **fields}, "required": [part, *needed]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
