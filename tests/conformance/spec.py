"""What the specification says of each operation, as a table of our own: names, types and statuses, and no text.

A type is one of JSON's, with `?` where null may stand, `[x]` for an array of x, and `{x: ...}` for an object.
"""

from dataclasses import dataclass, field
from typing import Any

Type = str | list[Any] | dict[str, Any]

METADATA = {"*": "string"}

PROBLEM = {
    "id": "string",
    "object": "string",
    "code": "string",
    "type": "string",
    "status": "integer",
    "title": "string",
    "detail": "string",
    "created": "integer",
    "metadata": METADATA,
    "errors": [],
}
PROBLEM_REQUIRED = {"id", "object", "code", "type", "status", "title", "detail", "created"}

BATCH = {
    "id": "string",
    "object": "string",
    "status": "string",
    "created": "number",
    "total_urls": "number",
    "completed_urls": "number",
    "parser": "string",
    "country": "string",
    "metadata": METADATA,
    "webhook": "string",
    "credits_consumed": "integer?",
    "cost_usd": "number?",
}

NEW_BATCH = {
    "items": [{"custom_id": "string", "url": "string", "metadata": METADATA}],
    "country": "string",
    "parser": {"id": "string"},
    "links_on_page": {"absolute_links": "boolean", "include_links": ["string"], "exclude_links": ["string"]},
    "metadata": METADATA,
    "webhook": "string",
}

ITEMS = {
    "batch_id": "string",
    "object": "string",
    "status": "string",
    "items": [
        {
            "custom_id": "string",
            "retrieve_id": "string",
            "url": "string",
            "metadata": METADATA,
            "links_on_page": ["string"],
        }
    ],
    "items_count": "integer",
    "cursor": "integer",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`parameters` by name: where it is, whether it is required, its type, and values that it must take."""

    method: str
    path: str
    reply: Type
    problems: tuple[int, ...]
    parameters: dict[str, tuple[str, bool, str, tuple[str, ...]]] = field(default_factory=dict)
    body: Type | None = None
    # What a caller must send. Fewer may be required of it, not more.
    required: frozenset[str] = frozenset()
    required_of_item: frozenset[str] = frozenset()


_BATCH_ID = {"batch_id": ("path", True, "string", ())}

OPERATIONS = (
    Operation(
        "post",
        "/v1/batches",
        BATCH,
        (400, 401, 402, 403, 409, 422, 500),
        body=NEW_BATCH,
        required=frozenset({"items"}),
        required_of_item=frozenset({"custom_id", "url"}),
    ),
    Operation("get", "/v1/batches/{batch_id}", BATCH, (401, 404, 500), _BATCH_ID),
    Operation(
        "get",
        "/v1/batches/{batch_id}/items",
        ITEMS,
        (400, 401, 404, 500),
        {
            **_BATCH_ID,
            "status": ("query", False, "string", ("completed", "failed")),
            "cursor": ("query", False, "integer", ()),
            "limit": ("query", False, "integer", ()),
        },
    ),
)

# The limits of metadata, which hold wherever a caller sends some.
METADATA_LIMITS = {"pairs": 50, "key": 40, "value": 500, "not in a key": "[]"}
