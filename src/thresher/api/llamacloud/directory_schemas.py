"""Directories and their files as models: what requests may hold, and, for /openapi.json and /docs alone, the answers."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from pydantic import Json as JsonText
from pydantic_core import PydanticCustomError

from thresher.api.llamacloud.file_schemas import PresignedUrl
from thresher.api.llamacloud.paging import Page
from thresher.api.llamacloud.values import BEYOND, Json, Metadata, Moment, Name, Text

MOST_DELETED = 100  # files by one request

_METADATA = "A value is a text, a number, true, false, null or a list of texts; 16 KiB of JSON in all."


def _to_come(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise PydanticCustomError(BEYOND, "This moment is over")
    return value


class NewDirectory(BaseModel):
    name: Name
    type: Literal["user", "ephemeral"] = Field(
        "user", description="An ephemeral one is deleted after a while, if `expires_at` does not say when."
    )
    description: Text | None = None
    system_metadata: Json | None = Field(None, description="Any JSON object of at most 16 KiB; kept as it is.")
    connector_subscription_id: Text | None = Field(None, description="Kept as it is.")
    expires_at: Annotated[Moment, AfterValidator(_to_come)] | None = Field(
        None, description="The directory is deleted then. Files that are uploaded into it are kept no longer."
    )


class ChangedDirectory(BaseModel):
    """What is null or left out stays."""

    name: Name | None = None
    description: Text | None = None


class DirectoryModel(BaseModel):
    id: str = Field(description="`dir-` and a UUID.")
    name: str
    project_id: str
    type: Literal["user", "ephemeral"]
    description: str | None
    system_metadata: dict[str, Any] | None
    connector_subscription_id: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    deleted_at: datetime | None


class DirectoryPage(Page):
    items: list[DirectoryModel]


class AddedFile(BaseModel):
    file_id: str = Field(description="A file of the account.")
    display_name: Name | None = Field(None, description="Absent: the name of the file.")
    unique_id: Name | None = Field(
        None,
        description="No two files of a directory have the same. Absent: the file's external_file_id, or else its name.",
    )
    metadata: Metadata | None = Field(None, description=_METADATA)


class UploadedFile(BaseModel):
    """The texts of an upload, beside its file."""

    display_name: Name | None = Field(None, description="Absent: the name of the file.")
    unique_id: Name | None = Field(None, description="Absent: the external_file_id, or else the name of the file.")
    external_file_id: Name | None = Field(None, description="Kept with the file.")
    metadata: JsonText[Metadata | None] | None = Field(None, description=f"A JSON object. {_METADATA}")


class ChangedFile(BaseModel):
    """What is null or left out stays."""

    display_name: Name | None = None
    unique_id: Name | None = None
    metadata: Metadata | None = Field(None, description=f"Instead of all that there is. {_METADATA}")
    target_directory_id: str | None = Field(None, description="The directory to which it moves.")


class DeletedFiles(BaseModel):
    directory_file_ids: list[str] = Field(min_length=1, max_length=MOST_DELETED)


class DirectoryFileModel(BaseModel):
    id: str = Field(description="`dfl-` and a UUID.")
    directory_id: str
    project_id: str
    file_id: str | None = Field(description="null if the file is deleted.")
    display_name: str
    unique_id: str
    metadata: Metadata
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    download_url: PresignedUrl | None = Field(description="If `expand` asks for it.")


class DirectoryFilePage(Page):
    items: list[DirectoryFileModel]
