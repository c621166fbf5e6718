"""What was made of a document, in the words of the first version of the parse API. Pure.

Its items have the shapes of the second version's under other names: `lvl`, and one `bBox` instead of a list.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from thresher.api.llamacloud import parse_job
from thresher.api.llamacloud.parse_job import Job, Status
from thresher.convert.documents.items import of_page

STATUSES: dict[Status, str] = {
    "PENDING": "PENDING",
    "RUNNING": "PENDING",
    "COMPLETED": "SUCCESS",
    "FAILED": "ERROR",
    "CANCELLED": "CANCELLED",
}
_LINK = re.compile(r"(?<!!)\[([^\]\n]{0,500})\]\((https?://[^\s()<>]+)\)")


def job_view(job: Job) -> dict[str, Any]:
    failed = job.status == "FAILED"
    return {
        "id": job.id,
        "status": STATUSES[job.status],
        "error_code": parse_job.error_code(job.item) if failed else None,
        "error_message": parse_job.error_message(job.item) if failed else None,
    }


def details_view(job: Job) -> dict[str, Any]:
    """The same, with what it was asked to do."""
    item, batch = job.item, job.batch
    return {
        **job_view(job),
        "file_name": item.name or item.ref,
        "created_at": batch.created_at,
        "updated_at": item.finished_at or batch.created_at,
        "parameters": job.asked.parameters,
    }


def pages_view(pages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_page(page) for page in pages]


def _page(page: Mapping[str, Any]) -> dict[str, Any]:
    markdown, items = page["markdown"], of_page(page)
    return {
        "page": page["number"],
        "text": page["text"],
        "md": markdown,
        "images": [],
        "charts": [],
        "tables": [],
        "layout": [],
        "items": [_item(item) for item in items],
        "status": "ERROR" if page["error"] else "OK",
        "error": page["error"],
        "links": [{"text": text, "url": url} for text, url in _LINK.findall(markdown)],
        "width": page["width"],
        "height": page["height"],
        "triggeredAutoMode": False,
        "structuredData": None,
        "noStructuredContent": not items,
        "noTextContent": not page["text"].strip(),
        "printedPageNumber": page["label"],
        "slideSpeakerNotes": page["notes"],
        "sheetName": page["name"],
    }


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": item["type"], "md": item["md"], "bBox": _around(_boxes(item))}
    match item["type"]:
        case "heading":
            return {**found, "lvl": item["level"], "value": item["value"]}
        case "table":
            return {**found, "rows": item["rows"], "csv": item["csv"], "html": item["html"], "isPerfectTable": True}
        case "list":
            return {**found, "value": _said(item)}
        case "image":
            return {**found, "value": item["caption"], "url": item["url"]}
    return {**found, "value": item["value"]}


def _said(item: Mapping[str, Any]) -> str:
    return "\n".join(map(_said, item["items"])) if item["type"] == "list" else str(item["value"])


def _boxes(item: Mapping[str, Any]) -> list[Mapping[str, float]]:
    """Those of an item; of a list without its own, those of what is in it."""
    return item["bbox"] or [box for inner in item.get("items", ()) for box in _boxes(inner)]


def _around(boxes: Sequence[Mapping[str, float]]) -> dict[str, float] | None:
    """One box around all of them."""
    if not boxes:
        return None
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right, bottom = max(box["x"] + box["w"] for box in boxes), max(box["y"] + box["h"] for box in boxes)
    return {"x": left, "y": top, "w": round(right - left, 2), "h": round(bottom - top, 2)}
