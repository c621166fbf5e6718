"""PDF, by LiteParse (PDFium): pages with sizes, markdown, text and blocks with boxes; pictures of text by OCR, if there are data.

PDFium is not thread-safe, and what hangs in it cannot be stopped: to be called in a child process that may be killed.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from thresher.convert.document import DocumentPage
from thresher.convert.documents import items, pdfinfo, running
from thresher.convert.documents.made import Bounds, Made
from thresher.convert.documents.package import broken
from thresher.domain.documents import DocumentOptions
from thresher.domain.failure import FailureCode, ItemFailed

# The parameters' languages and, where it has other names, Tesseract's.
_LANGUAGES = {
    "ar": "ara", "bg": "bul", "ch_sim": "chi_sim", "ch_tra": "chi_tra", "cs": "ces", "da": "dan", "de": "deu", "el": "ell",
    "en": "eng", "es": "spa", "et": "est", "fi": "fin", "fr": "fra", "hi": "hin", "hr": "hrv", "hu": "hun", "id": "ind",
    "it": "ita", "ja": "jpn", "ko": "kor", "lt": "lit", "lv": "lav", "nl": "nld", "no": "nor", "pl": "pol", "pt": "por",
    "ro": "ron", "ru": "rus", "sk": "slk", "sl": "slv", "sv": "swe", "th": "tha", "tr": "tur", "uk": "ukr", "vi": "vie",
}  # fmt: skip


@cache
def library() -> tuple[Any, type[Exception]]:
    """LiteParse's parser and its error. Loading it takes 1.2 GB of address space, so it is done before memory is limited."""
    # Not the package's own parser: that copies every run of glyphs into an object, for half as much time again.
    from liteparse._liteparse import LiteParse
    from liteparse.types import ParseError

    return LiteParse, ParseError


def convert(data: bytes, _: str, options: DocumentOptions, bounds: Bounds) -> Made:
    """Raises ItemFailed: document_encrypted, document_broken, too_many_pages."""
    result = _parse(data, options, bounds.max_pages)
    total = result.total_pages
    picked = options.picks(total)
    if len(picked) > bounds.max_pages:
        raise ItemFailed(
            FailureCode.TOO_MANY_PAGES,
            f"{len(picked)} pages, the limit is {bounds.max_pages} (THRESHER_DOCUMENT_MAX_PAGES)",
        )
    pages = {page.number: page for page in (_page(native, options) for native in result.pages)}
    if running.matter(options):
        for native in _parse(data, options, bounds.max_pages, heads=False).pages:
            body = _page(native, options)
            pages[body.number] = running.shown(pages.get(body.number, body), body, options)
    for error in result.page_errors:
        pages[error.page_num] = DocumentPage(error.page_num, error=str(error.message)[:300])
    silent = [number for number, page in pages.items() if not page.text and not page.error]
    if silent and options.ocr and (languages := _available(options.languages, bounds.ocr_data)):
        seen = _parse(
            data, options, bounds.max_pages, silent, {"ocr_language": languages, "tessdata_path": bounds.ocr_data}
        )
        pages |= {native.page_num: _page(native, options) for native in seen.pages}
    metadata = pdfinfo.metadata(data, result.doc_meta.xmp if result.doc_meta else None)
    return Made([pages.get(n) or DocumentPage(n, error="the page is missing") for n in picked], total, metadata)


def _parse(
    data: bytes,
    options: DocumentOptions,
    most: int,
    only: list[int] | None = None,
    ocr: dict[str, str] | None = None,
    *,
    heads: bool = True,
) -> Any:
    parser, failed = library()
    ranges = [(n, n) for n in only] if only else options.pages
    try:
        return parser(
            output_format="markdown",
            quiet=True,
            num_workers=1,
            continue_on_page_error=True,
            extract_blocks=True,
            extract_document_metadata=True,
            extract_links=options.annotate_links,
            keep_headers_footers=heads and not (options.hide_headers and options.hide_footers),
            skip_diagonal_text=options.skip_diagonal_text,
            preserve_very_small_text=options.preserve_very_small_text,
            ocr_enabled=ocr is not None,  # it is on by default, and then fetches data from the network
            max_pages=min(options.max_pages or most, most),
            **({"target_pages": ",".join(f"{first}-{last}" for first, last in ranges)} if ranges else {}),
            **({"crop_box": options.crop} if options.crop else {}),
            **(ocr or {}),
        ).parse_bytes(data)
    except (failed, ValueError, RuntimeError) as error:
        if "password" in str(error).lower():
            raise ItemFailed(FailureCode.DOCUMENT_ENCRYPTED) from None
        raise broken(f"{error}") from None


def _page(native: Any, options: DocumentOptions) -> DocumentPage:
    text = native.text.replace("\0", "").rstrip()
    made = [*_items(native.blocks or ())]
    if options.tables_as_html:
        markdown = "\n\n".join(items.as_html(item["rows"]) if item["type"] == "table" else item["md"] for item in made)
    else:
        markdown = native.markdown.replace("\0", "").strip() if text.strip() else ""  # else an empty fence
    size = (round(native.width, 2), round(native.height, 2))
    return DocumentPage(native.page_num, markdown, text if text.strip() else "", made, *size, native.page_label)


def _items(blocks: Iterable[Any]) -> Iterator[items.Item]:
    """Blocks as items; those of a list, which come one by one, as one."""
    for listed, run in groupby(blocks, lambda block: block.kind == "list_item"):
        if not listed:
            yield from filter(None, map(_item, run))
            continue
        entries = [(block.level or 0, bool(block.ordered), _clean(block.text), _box(block.bbox)) for block in run]
        yield items.listing(entries) | {"bbox": [box for entry in entries for box in entry[3] or ()] or None}


def _item(block: Any) -> items.Item | None:
    box = _box(block.bbox)
    match block.kind:
        case "heading":
            return items.heading(block.level or 1, _clean(block.text), box)
        case "table":
            rows = [*([block.header] if block.header else []), *(block.rows or [])]
            return items.rows([[_clean(cell.text) for cell in row] for row in rows], box)
        case "code" | "grid_fallback":
            return items.code(_clean("\n".join(block.lines or ())), block.lang or "", box)
        case "figure":
            return items.image("", f"img_{block.id}.{block.format}", box)
        case "rule":
            return None
    return items.text(_clean(block.text), box)


def _clean(text: str | None) -> str:
    return (text or "").replace("\0", "")


def _box(rect: Any) -> list[dict[str, float]] | None:
    if rect is None:
        return None
    return [{"x": round(rect.x, 2), "y": round(rect.y, 2), "w": round(rect.width, 2), "h": round(rect.height, 2)}]


def _available(languages: Iterable[str], folder: str) -> str:
    """Those of the languages that there are data for, as Tesseract names them; English or any other if none is."""
    if not folder:
        return ""
    names = [_LANGUAGES.get(language, language) for language in languages]
    found = {path.stem for path in Path(folder).glob("*.traineddata")} - {"osd"}
    return "+".join(name for name in names if name in found) or next(
        (n for n in ("eng", *sorted(found)) if n in found), ""
    )
