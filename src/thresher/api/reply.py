"""A reply in JSON, written by orjson. Knows nothing of what it says."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


def json_reply(value: Any) -> Response:
    """200 with the value as JSON."""
    return json_bytes(to_json(value))


def to_json(value: Any) -> bytes:
    """The value as JSON: the same bytes for the same value."""
    return orjson.dumps(value)


def json_bytes(data: bytes, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """JSON that is written already."""
    return Response(data, status, headers, media_type="application/json")
