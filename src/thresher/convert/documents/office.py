"""Kreuzberg, the library for everything but PDF and HTML: called in one way, its errors as ours, its metadata in our words."""

import re
from collections.abc import Mapping
from typing import Any

from thresher.convert.documents.package import broken
from thresher.domain.failure import FailureCode, ItemFailed

TYPES = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "rtf": "application/rtf",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "msg": "application/vnd.ms-outlook",
}
_PROTECTED = re.compile(r"password|encrypt|protected", re.IGNORECASE)
_METADATA = {
    "title": ("title", "subject"),
    "subject": ("subject",),
    "keywords": ("keywords",),
    "description": ("description",),
    "language": ("language",),
    "created": ("created_at",),
    "modified": ("modified_at",),
    "generator": ("application",),
}


def extract(data: bytes, form: str, *, html: bool = True, marker: str | None = None) -> Any:
    """The library's result, its content HTML or plain text. `marker`: what stands before each slide.

    Raises ItemFailed: document_broken, document_encrypted, document_too_large, conversion_failed.
    """
    import kreuzberg  # 76 MB, and only children for documents need it

    config = kreuzberg.ExtractionConfig(
        use_cache=False,  # it would write files
        enable_quality_processing=False,
        output_format="html" if html else "plain",
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
        pages=kreuzberg.PageConfig(insert_page_markers=True, marker_format=marker) if marker else None,
    )
    try:
        return kreuzberg.extract_bytes_sync(data, TYPES[form], config)
    except kreuzberg.KreuzbergError as error:
        said = str(error)
        if _PROTECTED.search(said):
            raise ItemFailed(FailureCode.DOCUMENT_ENCRYPTED) from None
        if "Security limit" in said:
            raise ItemFailed(FailureCode.DOCUMENT_TOO_LARGE, said[:300]) from None
        raise broken(said.partition(": ")[2] or said) from None
    except BaseException as error:
        if (
            type(error).__name__ != "PanicException"
        ):  # how Rust's panics arrive; not an Exception, and a bug of the library
            raise
        raise ItemFailed(FailureCode.CONVERSION_FAILED, f"the converter gave up: {error}"[:300]) from None


def metadata_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a document says of itself, under the names that pages have too, and `author`."""
    values = {name: next((found[key] for key in keys if found.get(key)), None) for name, keys in _METADATA.items()}
    values["author"] = ", ".join(map(str, found.get("authors") or [])) or None
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = ", ".join(map(str, value))
    return {name: str(value).replace("\0", "")[:10_000] for name, value in values.items() if value}
