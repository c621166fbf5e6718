"""What was made of a document, as the second version of the parse API gives it: only what `expand` names.

Pure: from a frame to plain values. It is CPU work on up to tens of megabytes, so it runs in a thread.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Literal

from thresher.api import pages
from thresher.api.olostep.content import content_of
from thresher.convert.frame import Frame

UrlOf = Callable[[str], str]  # the name of a content (domain.hosted) to its URL

# Contents that can be had by a URL: what they are called in the answer, and the content that they are. Of those without
# one nothing is made here.
_FILES: dict[str, tuple[str, str | None]] = {
    "markdown_content_metadata": ("md", "markdown"),
    "text_content_metadata": ("fullText", "text"),
    "items_content_metadata": ("json", "items"),
    "metadata_content_metadata": ("metadata", "metadata"),
    "forms_content_metadata": ("forms", None),
    "raw_words_content_metadata": ("rawWords", None),
    "xlsx_content_metadata": ("xlsx", None),
    "output_pdf_content_metadata": ("outputPDF", None),
    "stripped_markdown_content_metadata": ("strippedMd", None),
    "concatenated_stripped_markdown_content_metadata": ("concatenatedStrippedTxt", None),
    "grounded_items_content_metadata": ("grounded_items", None),
}
Expand = Literal[
    "markdown",
    "text",
    "items",
    "metadata",
    "forms",
    "markdown_full",
    "text_full",
    "job_metadata",
    "usage",
    "images_content_metadata",
    "markdown_content_metadata",
    "text_content_metadata",
    "items_content_metadata",
    "metadata_content_metadata",
    "forms_content_metadata",
    "raw_words_content_metadata",
    "xlsx_content_metadata",
    "output_pdf_content_metadata",
    "stripped_markdown_content_metadata",
    "concatenated_stripped_markdown_content_metadata",
    "grounded_items_content_metadata",
]


def expanded(frame: Frame, expand: Collection[Expand], url_of: UrlOf, *, cached: bool) -> dict[str, Any]:
    """The members that `expand` names. `cached`: whether the result is that of an earlier job."""
    found: dict[str, Any] = {name: {"pages": pages.VIEWS[name](frame.pages)} for name in pages.VIEWS if name in expand}
    if "markdown_full" in expand:
        found["markdown_full"] = frame.markdown
    if "text_full" in expand:
        found["text_full"] = frame.text
    if "job_metadata" in expand:
        found["job_metadata"] = {**job_metadata(frame, cached=cached), "document": frame.header["metadata"]}
    if "usage" in expand:
        found["usage"] = {"pages": len(frame.pages)}
    if "images_content_metadata" in expand:
        found["images_content_metadata"] = {"total_count": 0, "images": []}  # pictures are not taken out
    if files := dict(_files(frame, expand, url_of)):
        found["result_content_metadata"] = files
    return found


def job_metadata(frame: Frame, *, cached: bool) -> dict[str, Any]:
    """What both versions tell of a job that has a result."""
    return {"job_pages": len(frame.pages), "job_auto_mode_triggered_pages": 0, "job_is_cache_hit": cached}


def _files(frame: Frame, expand: Collection[Expand], url_of: UrlOf) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, (called, content) in _FILES.items():
        if name not in expand:
            continue
        if content is None:
            yield called, {"size_bytes": 0, "exists": False, "presigned_url": None}
        else:
            size = len((content_of(frame, content, 0) or "").encode())
            yield called, {"size_bytes": size, "exists": True, "presigned_url": url_of(content)}
