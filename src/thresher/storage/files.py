"""Files that accounts have uploaded: a name for bytes that storage/contents.py keeps, until it is deleted or its time is over."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class File:
    """A file of an account. `content` is the key of its bytes' row, `size` how many they are; `seq` its place among all files."""

    id: UUID
    seq: int
    content: int
    name: str
    purpose: str
    external_file_id: str | None
    size: int
    created_at: datetime
    expires_at: datetime | None
