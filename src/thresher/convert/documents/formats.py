"""Documents: files that are no text, each by the family of its format. Everything here runs in a child for documents alone.

Called by convert.py for what content.py has told the format of.
"""

from collections.abc import Callable

from thresher.convert import compound
from thresher.convert.document import Document
from thresher.convert.documents import book, flow, mail, pdf, sheets, slides
from thresher.convert.documents.made import Bounds, Made
from thresher.convert.documents.whole import whole
from thresher.domain.documents import DocumentOptions
from thresher.domain.failure import FailureCode, ItemFailed

FORMATS: dict[str, Callable[[bytes, str, DocumentOptions, Bounds], Made]] = {
    "pdf": pdf.convert,
    "docx": flow.docx,
    "odt": flow.packed,
    "epub": book.epub,
    "rtf": flow.rtf,
    "doc": flow.binary,
    "ppt": flow.binary,
    "pptx": slides.pptx,
    "xlsx": sheets.packed,
    "ods": sheets.packed,
    "xls": sheets.xls,
    "eml": mail.eml,
    "msg": mail.msg,
}
_BLANK_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
)


def load() -> None:
    """Load the libraries, before memory and files are taken away from this process: they take more than they later need.

    PDFium reserves its memory when it first reads a file. Kreuzberg may not do so yet: it would start threads.
    """
    import kreuzberg  # noqa: F401

    pdf.convert(_BLANK_PDF, "pdf", DocumentOptions(), Bounds())


def convert(data: bytes, form: str, options: DocumentOptions | None, bounds: Bounds) -> Document:
    """The document in `data`. Raises ItemFailed."""
    options = options or DocumentOptions()
    if form in ("doc", "xls", "encrypted"):
        compound.refuse_encrypted(data, form)
    made = FORMATS[form](data, form, options, bounds)
    if made.total == 0 or not made.pages:
        said = (
            "the document has no pages"
            if not made.total
            else f"none of the pages that were chosen is among its {made.total}"
        )
        raise ItemFailed(FailureCode.NO_TEXT, said)
    return whole(made, form, options, bounds)
