"""What an API key may do. A key without scopes may do everything."""

from enum import StrEnum


class Scope(StrEnum):
    """READ: see batches, items and results. WRITE: make, fill, start, change, cancel and delete batches."""

    READ = "read"
    WRITE = "write"
