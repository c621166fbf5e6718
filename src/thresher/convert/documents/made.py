"""What a family of formats makes of a document, and the bounds that it does so within. Plain values."""

from dataclasses import dataclass, field
from typing import Any

from thresher.convert.document import DocumentPage


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one document: pages that are converted, bytes and files of what is packed in it, and where the data for OCR are."""

    max_pages: int = 2000
    max_unpacked_bytes: int = 2**29
    max_parts: int = 10_000
    ocr_data: str = ""  # a folder, empty for none


@dataclass(frozen=True, slots=True)
class Made:
    """The pages that were picked, of `total`; `metadata`: title, author, created, ... as far as the document says."""

    pages: list[DocumentPage]
    total: int
    metadata: dict[str, Any] = field(default_factory=dict)
