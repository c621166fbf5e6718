"""Every way a request can fail: one table. The bodies follow RFC 9457 (problem+json) with the extension
members that the official SDKs read; the HTTP side of it is api/problems.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ProblemCode(StrEnum):
    """The stable codes."""

    VALIDATION_ERROR = "validation_error"
    INVALID_METADATA = "invalid_metadata"
    INVALID_API_KEY = "invalid_api_key"
    CREDITS_EXHAUSTED = "credits_exhausted"
    ACCESS_DENIED = "access_denied"
    NOT_FOUND = "not_found"
    BATCH_NOT_FOUND = "batch_not_found"
    CONTENT_NOT_FOUND = "content_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    APPEND_CONFLICT = "append_conflict"
    BATCH_NOT_OPEN = "batch_not_open"
    BATCH_NOT_DONE = "batch_not_done"
    IDEMPOTENCY_KEY_IN_PROGRESS = "idempotency_key_in_progress"
    BATCH_PURGED = "batch_purged"
    HOSTED_URL_EXPIRED = "hosted_url_expired"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    IDEMPOTENCY_KEY_REUSE = "idempotency_key_reuse"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    INTERNAL_SERVER_ERROR = "internal_server_error"
    SERVICE_UNAVAILABLE = "service_unavailable"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """`status` is the HTTP status; `slug` ends the problem's `type` URL; `flags` are extension members that SDKs read."""

    status: int
    slug: str
    title: str
    remedy: str
    flags: Mapping[str, Any] | None = None


PROBLEMS: dict[ProblemCode, ProblemKind] = {
    ProblemCode.VALIDATION_ERROR: ProblemKind(
        400, "bad_request", "Bad Request", "Correct what the detail names and send the request again."
    ),
    ProblemCode.INVALID_METADATA: ProblemKind(
        400, "bad_request", "Bad Request", 'Send the metadata to change as {"metadata": {...}}, and nothing else.'
    ),
    ProblemCode.INVALID_API_KEY: ProblemKind(
        401,
        "unauthorized",
        "Unauthorized",
        "Send `Authorization: Bearer KEY` with a key that this server knows.",
        {"invalid_api_key": True},
    ),
    ProblemCode.CREDITS_EXHAUSTED: ProblemKind(
        402,
        "payment_required",
        "Payment Required",
        "Submit fewer items, wait until running batches give back what they do not use, or ask the operator for credits.",
        {"usage_limit_reached": True},
    ),
    ProblemCode.ACCESS_DENIED: ProblemKind(
        403, "forbidden", "Forbidden", "Use a key that has the scope which the detail names, or one without scopes."
    ),
    ProblemCode.NOT_FOUND: ProblemKind(404, "not_found", "Not Found", "Check the path; /docs lists what there is."),
    ProblemCode.BATCH_NOT_FOUND: ProblemKind(
        404, "not_found", "Not Found", "Check the batch id, and that the key belongs to the account that made it."
    ),
    ProblemCode.CONTENT_NOT_FOUND: ProblemKind(
        404, "not_found", "Not Found", "Take the retrieve_id from the batch's items."
    ),
    ProblemCode.METHOD_NOT_ALLOWED: ProblemKind(
        405, "method_not_allowed", "Method Not Allowed", "Use one of the methods in the Allow header."
    ),
    ProblemCode.APPEND_CONFLICT: ProblemKind(
        409, "conflict", "Conflict", "Go on with the item at the position `total`: the ones before it are in the batch."
    ),
    ProblemCode.BATCH_NOT_OPEN: ProblemKind(
        409, "conflict", "Conflict", "Make a batch with `open: true` and append to it before it is started."
    ),
    ProblemCode.BATCH_NOT_DONE: ProblemKind(
        409, "conflict", "Conflict", "Wait until the batch is completed, or cancel it first."
    ),
    ProblemCode.IDEMPOTENCY_KEY_IN_PROGRESS: ProblemKind(
        409,
        "idempotency_error",
        "Idempotency Error",
        "Send the request again after Retry-After seconds: the answer of the first one is given then.",
    ),
    ProblemCode.BATCH_PURGED: ProblemKind(
        410,
        "gone",
        "Gone",
        "Fetch the pages again in a new batch; THRESHER_RETENTION says how long results are kept.",
    ),
    ProblemCode.HOSTED_URL_EXPIRED: ProblemKind(
        410, "gone", "Gone", "Ask /v1/retrieve again: its answer has a new URL."
    ),
    ProblemCode.BODY_TOO_LARGE: ProblemKind(
        413,
        "content_too_large",
        "Content Too Large",
        "Send fewer items in a request, or raise THRESHER_MAX_REQUEST_BYTES.",
    ),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: ProblemKind(
        415, "unsupported_media_type", "Unsupported Media Type", "Send the body as application/json, uncompressed."
    ),
    ProblemCode.IDEMPOTENCY_KEY_REUSE: ProblemKind(
        422,
        "unprocessable_entity",
        "Unprocessable Entity",
        "Use a new key for a new request; a repeated request must be the same byte for byte.",
    ),
    ProblemCode.RATE_LIMIT_EXCEEDED: ProblemKind(
        429,
        "too_many_requests",
        "Too Many Requests",
        "Wait for Retry-After seconds; the RateLimit headers of every answer say what is left.",
    ),
    ProblemCode.INTERNAL_SERVER_ERROR: ProblemKind(
        500, "internal_error", "Internal Server Error", "Try again; if it stays, report the problem's id."
    ),
    ProblemCode.SERVICE_UNAVAILABLE: ProblemKind(
        503, "service_unavailable", "Service Unavailable", "Try again in a moment; /readyz says what is missing."
    ),
}


class Problem(Exception):
    """Raised anywhere below the border where a request is found wrong; api/problems.py turns it into the answer.

    `detail` names the field, the index and the limit; `errors` may list several places as {loc, msg, type}.
    """

    def __init__(
        self,
        code: ProblemCode,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.code = code
        self.kind = PROBLEMS[code]
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})
