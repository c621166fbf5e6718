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
    NOTHING_TO_RETRY = "nothing_to_retry"
    NOTHING_STORED = "nothing_stored"
    INVALID_API_KEY = "invalid_api_key"
    CREDITS_EXHAUSTED = "credits_exhausted"
    ACCESS_DENIED = "access_denied"
    NOT_FOUND = "not_found"
    BATCH_NOT_FOUND = "batch_not_found"
    CONTENT_NOT_FOUND = "content_not_found"
    EVENT_NOT_FOUND = "event_not_found"
    PARSER_NOT_FOUND = "parser_not_found"
    FILE_NOT_FOUND = "file_not_found"
    DIRECTORY_NOT_FOUND = "directory_not_found"
    PARSE_JOB_NOT_FOUND = "parse_job_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    APPEND_CONFLICT = "append_conflict"
    BATCH_NOT_OPEN = "batch_not_open"
    BATCH_NOT_DONE = "batch_not_done"
    UNIQUE_ID_TAKEN = "unique_id_taken"
    IDEMPOTENCY_KEY_IN_PROGRESS = "idempotency_key_in_progress"
    BATCH_PURGED = "batch_purged"
    HOSTED_URL_EXPIRED = "hosted_url_expired"
    BODY_TOO_LARGE = "body_too_large"
    FILE_TOO_LARGE = "file_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    IDEMPOTENCY_KEY_REUSE = "idempotency_key_reuse"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    INTERNAL_SERVER_ERROR = "internal_server_error"
    SERVICE_UNAVAILABLE = "service_unavailable"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What a code means. `meaning` and `remedy` are sentences for a person.

    `status` is the HTTP status; `slug` ends the problem's `type` URL; `flags` are extension members that SDKs read.
    """

    status: int
    slug: str
    title: str
    meaning: str
    remedy: str
    flags: Mapping[str, Any] | None = None


PROBLEMS: dict[ProblemCode, ProblemKind] = {
    ProblemCode.VALIDATION_ERROR: ProblemKind(
        400,
        "bad_request",
        "Bad Request",
        "A part of the request is missing, of the wrong kind or beyond a limit. Nothing was done.",
        "Correct what the detail names and send the request again; `errors` lists every place.",
    ),
    ProblemCode.INVALID_METADATA: ProblemKind(
        400,
        "bad_request",
        "Bad Request",
        "A change of a batch has no metadata, or something beside it. Nothing was changed.",
        'Send the metadata to change as {"metadata": {...}}, and nothing else.',
    ),
    ProblemCode.NOTHING_TO_RETRY: ProblemKind(
        400,
        "bad_request",
        "Bad Request",
        "Every item of the batch has a result, or none has failed with one of the codes, or retries are at them. No batch was made.",
        "Look at the batch's items and their codes; without `codes`, all items without a result are retried.",
    ),
    ProblemCode.NOTHING_STORED: ProblemKind(
        400,
        "bad_request",
        "Bad Request",
        "Of no item of the batch the page is stored, so there is nothing to be read in another way. No batch was made.",
        "Look at the batch's items: pages are stored of those that were completed, and of those that a parser or a verdict failed.",
    ),
    ProblemCode.INVALID_API_KEY: ProblemKind(
        401,
        "unauthorized",
        "Unauthorized",
        "There is no API key in the request, or it is unknown here, expired or revoked.",
        "Send `Authorization: Bearer KEY` with a key of this server; `thresher keys create` makes one.",
        {"invalid_api_key": True},
    ),
    ProblemCode.CREDITS_EXHAUSTED: ProblemKind(
        402,
        "payment_required",
        "Payment Required",
        "The account has fewer credits than the new items would need. None of them was taken.",
        "Submit fewer items, wait until running batches give back what they do not use, or ask the operator for credits.",
        {"usage_limit_reached": True},
    ),
    ProblemCode.ACCESS_DENIED: ProblemKind(
        403,
        "forbidden",
        "Forbidden",
        "The API key is good, but lacks the scope that this request needs.",
        "Use a key that has the scope which the detail names, or one without scopes, which may do everything.",
    ),
    ProblemCode.NOT_FOUND: ProblemKind(
        404,
        "not_found",
        "Not Found",
        "The server has nothing at this path.",
        "Check the path; /docs lists what there is.",
    ),
    ProblemCode.BATCH_NOT_FOUND: ProblemKind(
        404,
        "not_found",
        "Not Found",
        "The account has no batch of this id.",
        "Check the batch id, and that the key belongs to the account that made it.",
    ),
    ProblemCode.CONTENT_NOT_FOUND: ProblemKind(
        404,
        "not_found",
        "Not Found",
        "The account has no item of this id, or the item has no content (yet, or any more); the detail says which.",
        "Take the retrieve_id from the batch's items.",
    ),
    ProblemCode.EVENT_NOT_FOUND: ProblemKind(
        404,
        "not_found",
        "Not Found",
        "The account, or the batch, has no event of this id that goes to a webhook.",
        "Take the id from the batch's deliveries, or from the webhook-id header.",
    ),
    ProblemCode.PARSER_NOT_FOUND: ProblemKind(
        404,
        "not_found",
        "Not Found",
        "The account has no parser of this name, or none of this version, or it was retired.",
        "Look at `GET /v1/parsers`, which lists those that there are.",
    ),
    ProblemCode.FILE_NOT_FOUND: ProblemKind(
        404,
        "not_found",
        "Not Found",
        "The account has no file of this id, or it was deleted, or its time is over.",
        "Upload it, and use the id of the answer; `GET /api/v1/beta/files` lists those that there are.",
    ),
    ProblemCode.DIRECTORY_NOT_FOUND: ProblemKind(
        404,
        "not_found",
        "Not Found",
        "The account has no directory of this id, or the directory no such file, or it was deleted.",
        "Check the ids; `GET /api/v1/beta/directories` lists the directories that there are.",
    ),
    ProblemCode.PARSE_JOB_NOT_FOUND: ProblemKind(
        404,
        "not_found",
        "Not Found",
        "The account has no parse job of this id, or the job has no result (yet, or any more); the detail says which.",
        "Take the id from the items of the batch job, or from the answer that made the job; without `expand` its status is told.",
    ),
    ProblemCode.METHOD_NOT_ALLOWED: ProblemKind(
        405,
        "method_not_allowed",
        "Method Not Allowed",
        "The path is right, and takes other methods.",
        "Use one of the methods in the Allow header.",
    ),
    ProblemCode.APPEND_CONFLICT: ProblemKind(
        409,
        "conflict",
        "Conflict",
        "The batch does not have as many items as the append's `offset` says. Nothing was appended.",
        "Go on with the item at the position `total`: the ones before it are in the batch.",
    ),
    ProblemCode.BATCH_NOT_OPEN: ProblemKind(
        409,
        "conflict",
        "Conflict",
        "The batch was started, or is over, so it takes no more items.",
        "Make a batch with `open: true` and append to it before it is started.",
    ),
    ProblemCode.BATCH_NOT_DONE: ProblemKind(
        409,
        "conflict",
        "Conflict",
        "The request is for a batch that is done, and this one is not.",
        "Wait until the batch is completed, or cancel it first.",
    ),
    ProblemCode.UNIQUE_ID_TAKEN: ProblemKind(
        409,
        "conflict",
        "Conflict",
        "The directory has another file of this unique id, which the detail names. Nothing was done.",
        "Give the file another unique_id, or go on with the file that is there; two files that are called alike need one each.",
    ),
    ProblemCode.IDEMPOTENCY_KEY_IN_PROGRESS: ProblemKind(
        409,
        "idempotency_error",
        "Idempotency Error",
        "A request with the same Idempotency-Key is being worked at.",
        "Send the request again after Retry-After seconds: the answer of the first one is given then.",
    ),
    ProblemCode.BATCH_PURGED: ProblemKind(
        410,
        "gone",
        "Gone",
        "The batch was deleted, or its retention is over; `counts` and `outcome` say how it ended.",
        "Fetch the pages again in a new batch; THRESHER_RETENTION says how long results are kept.",
    ),
    ProblemCode.HOSTED_URL_EXPIRED: ProblemKind(
        410,
        "gone",
        "Gone",
        "The URL of this content, or of this file, was good for a time, which is over.",
        "Ask again where it came from, which was /v1/retrieve or the file: the answer has a new URL.",
    ),
    ProblemCode.BODY_TOO_LARGE: ProblemKind(
        413,
        "content_too_large",
        "Content Too Large",
        "The request's body has more bytes than the server takes. It was not read.",
        "Send fewer items in a request, or raise THRESHER_MAX_REQUEST_BYTES.",
    ),
    ProblemCode.FILE_TOO_LARGE: ProblemKind(
        413,
        "content_too_large",
        "Content Too Large",
        "The file has more bytes than the server keeps. Nothing of it was kept.",
        "Split it, or raise THRESHER_MAX_FILE_BYTES.",
    ),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: ProblemKind(
        415,
        "unsupported_media_type",
        "Unsupported Media Type",
        "The request's body is compressed, or of a type that is not taken here.",
        "Send the body uncompressed: a file as multipart/form-data, all else as application/json.",
    ),
    ProblemCode.IDEMPOTENCY_KEY_REUSE: ProblemKind(
        422,
        "unprocessable_entity",
        "Unprocessable Entity",
        "The Idempotency-Key was used for another request in the last 24 hours. Nothing was done.",
        "Use a new key for a new request; a repeated request must be the same byte for byte.",
    ),
    ProblemCode.RATE_LIMIT_EXCEEDED: ProblemKind(
        429,
        "too_many_requests",
        "Too Many Requests",
        "The API key has made more requests in a minute than THRESHER_REQUESTS_PER_MINUTE allows.",
        "Wait for Retry-After seconds; the RateLimit headers of every answer say what is left.",
    ),
    ProblemCode.INTERNAL_SERVER_ERROR: ProblemKind(
        500,
        "internal_error",
        "Internal Server Error",
        "Something happened that nobody thought of. The server's log has it under the problem's id.",
        "Try again; if it stays, report the problem's id.",
    ),
    ProblemCode.SERVICE_UNAVAILABLE: ProblemKind(
        503,
        "service_unavailable",
        "Service Unavailable",
        "The server cannot reach its database or its store at the moment, or it is ending. Nothing is lost.",
        "Try again in a moment; /readyz says what is missing.",
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
