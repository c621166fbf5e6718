"""Parameters of a parse job that were sent as the texts of a form. Pure."""

from collections.abc import Mapping
from typing import Any

_FLAGS = frozenset({
    "annotate_links", "disable_ocr", "do_not_cache", "hide_footers", "hide_headers", "invalidate_cache",
    "html_remove_navigation_elements", "output_tables_as_HTML", "preserve_very_small_text", "skip_diagonal_text", "spreadsheet_include_hidden_sheets",
})  # fmt: skip
_NUMBERS = frozenset({
    "bbox_bottom", "bbox_left", "bbox_right", "bbox_top", "job_timeout_in_seconds", "max_pages", "page_error_tolerance",
})  # fmt: skip
_WORDS = {"true": True, "false": False, "1": True, "0": False}


def parameters_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """What changes something here becomes what it has to be, all else stays text; an empty text is nothing.

    `language` is what a form calls the languages. Raises ValueError, naming the parameter.
    """
    found: dict[str, Any] = {}
    for name, text in fields.items():
        if not text:
            continue
        if name in ("language", "languages"):
            found["languages"] = [part.strip() for part in text.split(",")]
        else:
            found[name] = _flag(name, text) if name in _FLAGS else _number(name, text) if name in _NUMBERS else text
    return found


def _flag(name: str, text: str) -> bool:
    try:
        return _WORDS[text.lower()]
    except KeyError:
        raise ValueError(f"{name} has to be true or false") from None


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} has to be a number") from None
