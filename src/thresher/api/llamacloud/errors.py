"""What a request to the parse API is refused with, in the form that its clients read: `{"detail": ...}`.

`detail` is a sentence, or, of a request that cannot be meant (422), a list of what is wrong where. Beside it stand what
all our problems have: a stable `code`, a `remedy`, and the `id` under which an unexpected error is logged.
"""

from typing import Any

import orjson
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.responses import Response

from thresher.domain.problem import Problem, ProblemCode

ROOT = "/api/"


class Place(BaseModel):
    """Where a request is wrong, and how."""

    loc: list[str | int]
    msg: str
    type: str


class Invalid(BaseModel):
    """What a 422 is."""

    detail: list[Place]


class Refusal(BaseModel):
    """What every other refusal is."""

    detail: str
    code: str = Field(description="A stable code.")
    remedy: str = Field(description="What to do about it.")
    id: str = Field(description="The id of this answer, also in the log.")


_WHAT = {
    400: "The request cannot be done; `detail` says why.",
    401: "The API key is missing, unknown, expired or revoked.",
    402: "The account has too few credits.",
    403: "The API key does not have the scope that this needs, or the project or organization is another's.",
    404: "There is no such thing in this account.",
    409: "Something stands in the way now.",
    410: "It is gone.",
    413: "It is larger than the limit that `detail` names.",
    415: "The body is of a type that is not taken.",
    429: "The API key has used up its requests for now.",
    500: "An unexpected error, logged under `id`.",
    503: "A dependency is away; try again.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route of this API: those of all routes, and these."""
    everywhere = (401, 403, 429, 500, 503)
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": Refusal, "description": _WHAT[status]} for status in sorted({*everywhere, *statuses})
    }
    return found | {422: {"model": Invalid, "description": "A part of the request is of the wrong kind."}}


def invalid(*loc: str | int, msg: str, kind: str = "value_error") -> RequestValidationError:
    """To be raised where a request cannot be meant, for a reason that no model finds."""
    return RequestValidationError([{"loc": loc, "msg": msg, "type": kind}])


def refusal(error: Exception, problem: Problem, error_id: str) -> Response:
    """The answer to a request that failed with `error`, which is this problem."""
    if isinstance(error, RequestValidationError):
        return Response(orjson.dumps({"detail": _places(error)}), 422, media_type="application/json")
    kind = problem.kind
    body = {"detail": problem.detail, "code": problem.code, "remedy": kind.remedy, "id": error_id}
    headers = dict(problem.headers or {})
    if kind.status == 409 and problem.code is not ProblemCode.IDEMPOTENCY_KEY_IN_PROGRESS:
        headers["x-should-retry"] = "false"  # clients would try again for a quarter of a minute
    return Response(orjson.dumps(body), kind.status, headers, "application/json")


def _places(error: RequestValidationError) -> Any:
    """What is wrong where. What was sent is left out of it: it may be large, or a secret."""
    return jsonable_encoder([{name: each[name] for name in ("loc", "msg", "type")} for each in error.errors()])
