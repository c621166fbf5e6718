"""What the second version of the parse API calls the parameters of the first. Pure.

Only those are here that change what is made (domain/documents.py). Its pages are counted from 1 on.
"""

from collections.abc import Mapping
from typing import Any

# Where in a configuration, and what that is in the first version.
_NAMES = {
    ("page_ranges", "target_pages"): "target_pages",
    ("page_ranges", "max_pages"): "max_pages",
    ("crop_box", "top"): "bbox_top",
    ("crop_box", "left"): "bbox_left",
    ("disable_cache",): "do_not_cache",
    ("input_options", "html", "remove_navigation_elements"): "html_remove_navigation_elements",
    ("input_options", "spreadsheet", "include_hidden_sheets"): "spreadsheet_include_hidden_sheets",
    ("output_options", "markdown", "annotate_links"): "annotate_links",
    ("output_options", "spatial_text", "preserve_very_small_text"): "preserve_very_small_text",
    ("processing_options", "ignore", "ignore_diagonal_text"): "skip_diagonal_text",
    ("processing_options", "ignore", "ignore_text_in_image"): "disable_ocr",
    ("processing_options", "ocr_parameters", "languages"): "languages",
    ("processing_control", "timeouts", "base_in_seconds"): "job_timeout_in_seconds",
    ("processing_control", "job_failure_conditions", "allowed_page_failure_ratio"): "page_error_tolerance",
}
_TABLES = ("output_options", "markdown", "tables", "output_tables_as_markdown")


def parameters_of(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a configuration, which stays beside them as it is, for it is shown, and may mean something one day."""
    found = {name: value for place, name in _NAMES.items() if (value := _at(configuration, place)) is not None}
    # Of the first version the fraction that is cut off at each side; of the second where what is kept ends, from the other side.
    for side in ("right", "bottom"):
        if (end := _at(configuration, ("crop_box", side))) is not None:
            found[f"bbox_{side}"] = round(1 - end, 9)
    if (as_markdown := _at(configuration, _TABLES)) is not None:
        found["output_tables_as_HTML"] = not as_markdown
    if "target_pages" in found:
        found.pop("max_pages", None)  # which pages wins over how many
    return {**configuration, **found}


def _at(value: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
