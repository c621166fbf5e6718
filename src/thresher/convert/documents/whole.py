"""One document of its pages: what stands between them, what stands for those that failed, and what it says of itself."""

import re
from dataclasses import replace

from thresher.convert.document import Document, DocumentPage
from thresher.convert.documents.made import Bounds, Made
from thresher.domain.documents import DocumentOptions
from thresher.domain.failure import FailureCode, ItemFailed

_SEPARATOR = "\n\n---\n\n"  # of pages in markdown; with less before it the rule would make a heading of the line above
_NUMBER = "{pageNumber}"
_LINK = re.compile(r"\]\((https?://[^\s()<>]+)\)")


def whole(made: Made, form: str, options: DocumentOptions, bounds: Bounds) -> Document:
    """Raises ItemFailed: too_many_pages, document_broken with too many failed pages, no_text."""
    pages = [_shown(page, options) for page in made.pages]
    if len(pages) > bounds.max_pages:
        limit = f"{bounds.max_pages} (THRESHER_DOCUMENT_MAX_PAGES)"
        raise ItemFailed(FailureCode.TOO_MANY_PAGES, f"{len(pages)} pages, the limit is {limit}")
    failed = [page for page in pages if page.error]
    if failed and (len(failed) == len(pages) or len(failed) > options.page_error_tolerance * len(pages)):
        first = failed[0]
        said = f"{len(failed)} of {len(pages)} pages failed; page {first.number}: {first.error}"
        raise ItemFailed(FailureCode.DOCUMENT_BROKEN, said[:300])
    if not any(page.text.strip() for page in made.pages if not page.error):
        raise ItemFailed(FailureCode.NO_TEXT, f"there is no text on any of its {len(pages)} pages")
    metadata = {**made.metadata, "format": form, "pages": made.total}
    separator = options.page_separator
    return Document(
        kind="document",
        charset="",
        charset_source="default",
        charset_certainty=1.0,
        title=made.metadata.get("title"),
        markdown=_joined(
            [(page, page.markdown) for page in pages], _SEPARATOR if separator is None else separator, options
        ),
        text=_joined(
            [(page, page.text) for page in pages], options.text_separator if separator is None else separator, options
        ),
        links=_links(pages),
        metadata=metadata,
        pages=pages,
    )


def _shown(page: DocumentPage, options: DocumentOptions) -> DocumentPage:
    """The page; one that failed with what is to stand for it."""
    if page.error and options.failed_page == "error_message":
        said = f"Page {page.number} could not be converted: {page.error}"
        return replace(page, markdown=said, text=said)
    return page


def _joined(pages: list[tuple[DocumentPage, str]], separator: str, options: DocumentOptions) -> str:
    out: list[str] = []
    for place, (page, content) in enumerate(pages):
        number = str(page.number)
        if place:
            out.append(separator.replace(_NUMBER, number))
        out += [options.page_prefix.replace(_NUMBER, number), content, options.page_suffix.replace(_NUMBER, number)]
    return "".join(out)


def _links(pages: list[DocumentPage]) -> list[str]:
    return list(dict.fromkeys(found for page in pages for found in _LINK.findall(page.markdown)))
