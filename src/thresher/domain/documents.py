"""How a document is to be converted, in the words of the parse API, and the codes by which that API names a failure.

Of the API's parameters only those are here that change what is made; all others are kept by whoever was given them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from thresher.domain.failure import FailureCode

FailedPage = Literal["raw_text", "blank_page", "error_message"]  # what stands for a page that could not be converted
Ranges = tuple[tuple[int, int], ...]  # of page numbers from 1 on, both ends included
_LAST_PAGE = 100_000  # LiteParse takes no more of them by number
_MOST_PAGES = 1_000_000
_RANGE = re.compile(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?")

# What files of the formats that are converted are mostly called. What a file is, its bytes say.
EXTENSIONS = (
    *(".pdf", ".docx", ".docm", ".doc", ".odt", ".rtf", ".pptx", ".ppsx", ".ppt", ".xlsx", ".xlsm", ".xls", ".ods"),
    *(".epub", ".eml", ".msg", ".html", ".htm", ".xhtml", ".csv", ".tsv", ".txt", ".md", ".xml", ".json"),
)

# The codes of the parse API for the failures that a document can have; all others have none there.
ERROR_CODES: dict[FailureCode, str] = {
    FailureCode.DOCUMENT_ENCRYPTED: "PDF_IS_PROTECTED",
    FailureCode.DOCUMENT_BROKEN: "PDF_IS_BROKEN",
    FailureCode.NO_TEXT: "NO_DATA_FOUND_IN_FILE",
    FailureCode.EMPTY_PAGE: "NO_DATA_FOUND_IN_FILE",
    FailureCode.TOO_MANY_PAGES: "TOO_MANY_PAGES",
    FailureCode.DOCUMENT_TOO_LARGE: "DOCUMENT_TOO_LARGE",
    FailureCode.TOO_LARGE: "DOCUMENT_TOO_LARGE",
    FailureCode.DECOMPRESSION_BOMB: "DOCUMENT_TOO_LARGE",
    FailureCode.UNSUPPORTED_CONTENT: "UNSUPPORTED_FILE_TYPE",
    FailureCode.CONVERSION_LIMIT: "TIMEOUT",
    FailureCode.DEADLINE: "TIMEOUT",
}


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """What is asked for. None and the defaults are what the library does by itself.

    `pages`: which, all if None; of these the first `max_pages`. `page_separator`, `page_prefix` and `page_suffix` may say
    {pageNumber}; without a separator of the caller's, `text_separator` stands between pages in text. `crop`: fractions of a page, from its top, right, bottom and left, of which nothing is read.
    `around_header` and `around_footer`: what stands before and behind a running head, and a foot. `main_content`: of HTML.
    `page_error_tolerance`: the fraction of the pages that may fail before the document does. `timeout`: seconds.
    """

    pages: Ranges | None = None
    max_pages: int | None = None
    page_separator: str | None = None
    text_separator: str = "\n\n"
    page_prefix: str = ""
    page_suffix: str = ""
    tables_as_html: bool = False
    annotate_links: bool = True
    hide_headers: bool = False
    hide_footers: bool = False
    around_header: tuple[str, str] = ("", "")
    around_footer: tuple[str, str] = ("", "")
    skip_diagonal_text: bool = False
    preserve_very_small_text: bool = False
    crop: tuple[float, float, float, float] | None = None
    hidden_sheets: bool = False
    main_content: bool = False
    ocr: bool = True
    languages: tuple[str, ...] = ("en",)
    page_error_tolerance: float = 0.05
    failed_page: FailedPage = "raw_text"
    timeout: float | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any], *, first_page: int = 0) -> Self:
        """From the parameters of a parse job; `first_page` is the number that its `target_pages` has for the first one.

        Raises ValueError, naming the parameter, for one that cannot be meant. None means that it was not given.
        """
        given = _Given({name: value for name, value in parameters.items() if value is not None})
        target = given.text("target_pages")
        sides = [given.number(f"bbox_{side}", 0, 1) for side in ("top", "right", "bottom", "left")]
        most = given.number("max_pages", 0, _MOST_PAGES)
        return cls(
            pages=page_ranges(target, first_page) if target else None,
            max_pages=int(most) if most else None,
            page_separator=given.text("page_separator"),
            text_separator="\n---\n",  # where clients of the parse API cut, if they are not told otherwise
            page_prefix=given.text("page_prefix") or "",
            page_suffix=given.text("page_suffix") or "",
            tables_as_html=given.flag("output_tables_as_HTML"),
            annotate_links=given.flag("annotate_links", default=True),
            hide_headers=given.flag("hide_headers"),
            hide_footers=given.flag("hide_footers"),
            around_header=(given.text("page_header_prefix") or "", given.text("page_header_suffix") or ""),
            around_footer=(given.text("page_footer_prefix") or "", given.text("page_footer_suffix") or ""),
            skip_diagonal_text=given.flag("skip_diagonal_text"),
            preserve_very_small_text=given.flag("preserve_very_small_text"),
            crop=(sides[0] or 0, sides[1] or 0, sides[2] or 0, sides[3] or 0) if any(sides) else None,
            hidden_sheets=given.flag("spreadsheet_include_hidden_sheets"),
            main_content=given.flag("html_remove_navigation_elements"),
            ocr=not given.flag("disable_ocr"),
            languages=given.texts("languages") or given.texts("lang") or ("en",),
            page_error_tolerance=given.number("page_error_tolerance", 0, 1, 0.05) or 0,
            failed_page=given.failed_page(),
            timeout=given.number("job_timeout_in_seconds", 0, float("inf")) or None,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Back from what `dataclasses.asdict` became as JSON."""
        tuples: dict[str, Any] = {
            "pages": None if values["pages"] is None else tuple((first, last) for first, last in values["pages"]),
            "crop": None if values["crop"] is None else tuple(values["crop"]),
            **{name: tuple(values[name]) for name in ("languages", "around_header", "around_footer")},
        }
        return cls(**{**values, **tuples})

    def picks(self, total: int) -> list[int]:
        """The numbers of the pages to be converted, in order, of a document that has `total`."""
        ranges = ((1, total),) if self.pages is None else self.pages
        numbers = sorted({number for first, last in ranges for number in range(first, min(last, total) + 1)})
        return numbers[: self.max_pages]


def page_ranges(text: str, first_page: int) -> Ranges:
    """The pages that `text` names, as in "0,2-4": in order, each once. Raises ValueError."""
    ranges: list[tuple[int, int]] = []
    for part in text.split(","):
        named = _RANGE.fullmatch(part)
        if named is None:
            raise ValueError(f"target_pages: {part.strip()[:40]!r} is neither a page nor a range of pages, as in 0,2-4")
        low, high = (int(number) - first_page + 1 for number in (named[1], named[2] or named[1]))
        if not 1 <= low <= high <= _LAST_PAGE:
            raise ValueError(
                f"target_pages: {part.strip()[:40]!r} is no range of pages from {first_page} to {_LAST_PAGE}"
            )
        ranges.append((low, high))
    return _merged(ranges)


def _merged(ranges: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


class _Given:
    """The parameters that were given, each read as what it has to be."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} has to be a string")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._values.get(name, [])
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{name} has to be a string or a list of strings")
        return tuple(text for text in texts if text)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise ValueError(f"{name} has to be true or false")  # noqa: TRY004 - of a request, not of a call
        return value

    def number(self, name: str, least: float, most: float, default: float | None = None) -> float | None:
        value = self._values.get(name, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"{name} has to be a number from {least:g} to {most:g}")
        return value

    def failed_page(self) -> FailedPage:
        match self._values.get("replace_failed_page_mode", "raw_text"):
            case "raw_text":
                return "raw_text"
            case "blank_page":
                return "blank_page"
            case "error_message":
                return "error_message"
        raise ValueError("replace_failed_page_mode has to be raw_text, blank_page or error_message")
