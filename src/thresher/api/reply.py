"""A reply in JSON, written by orjson. Knows nothing of what it says."""

from typing import Any

import orjson
from starlette.responses import Response


def json_reply(value: Any) -> Response:
    """200 with the value as JSON."""
    return json_bytes(orjson.dumps(value))


def json_bytes(data: bytes) -> Response:
    """200 with JSON that is written already."""
    return Response(data, media_type="application/json")
