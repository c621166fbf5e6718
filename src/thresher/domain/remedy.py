"""What can be done about an item that has no result, in a sentence for this one. The table of codes is domain/failure.py."""

from dataclasses import dataclass

from thresher.domain.failure import FAILURES, FailureCode


@dataclass(frozen=True, slots=True)
class Case:
    """An item that failed: where it was when it did, the HTTP status if there was an answer, how often it was tried, its batch's id.

    Of a file `url` is its name, and there is no host.
    """

    url: str
    host: str
    status: int | None
    tries: int
    batch: str


_REMEDIES: dict[FailureCode, str] = {
    FailureCode.INVALID_URL: "Look where {url} redirects to: it is nothing that can be fetched, which only http and https can.",
    FailureCode.BLOCKED_ADDRESS: "If {host} is yours, add its network to THRESHER_FETCH_ALLOW; else leave {url} out.",
    FailureCode.ROBOTS_DISALLOWED: "Ask the owner of {host} for leave to fetch {url}, or leave it out.",
    FailureCode.DNS_NOT_FOUND: "Check the spelling of {host}: there is no such host.",
    FailureCode.DNS_FAILED: "Retry it later: {host} could not be looked up {tries}; if other hosts cannot either, check the resolver.",
    FailureCode.PROXY_FAILED: "Check THRESHER_PROXIES and the proxy, then retry it: {host} itself was not asked.",
    FailureCode.CONNECT_REFUSED: "Retry it later: {host} took no connection {tries}, so it is down, or wants none of this client.",
    FailureCode.CONNECT_TIMEOUT: "Retry it later: {host} was not reached {tries}; see whether it can be from this machine at all.",
    FailureCode.TLS_ERROR: "Check the certificate of {host}; a private authority can be trusted with THRESHER_EXTRA_CA.",
    FailureCode.TIMEOUT: "Retry it later, or raise THRESHER_ATTEMPT_TIMEOUT: {host} did not finish in time {tries}.",
    FailureCode.MALFORMED_RESPONSE: "Retry it later: {host} gave no valid answer {tries}; if that stays, tell its owner.",
    FailureCode.TOO_MANY_REDIRECTS: "Open {url} in a browser: it probably redirects in a circle.",
    FailureCode.TOO_LARGE: "Raise THRESHER_MAX_BODY_BYTES if {url} is wanted all the same.",
    FailureCode.DECOMPRESSION_BOMB: "Leave {url} out, or raise THRESHER_MAX_DECODED_BYTES if you trust {host}.",
    FailureCode.BAD_ENCODING: "Leave {url} out, or tell the owner of {host}: the page is not encoded as it says.",
    FailureCode.RATE_LIMITED: "Retry it later, with fewer pages of {host} at a time: it has asked for fewer requests.",
    FailureCode.HTTP_4XX: "Check {url}: the server says with {status} that the request cannot be right.",
    FailureCode.HTTP_5XX: "Retry it later: {host} had an error of its own ({status}) {tries}.",
    FailureCode.SITE_BLOCKED: "Ask the owner of {host} for access, or take its answer as it is with on_blocked=keep.",
    FailureCode.LOGIN_REQUIRED: "Send headers that log in to {host}, or leave {url} out: it is not public. on_blocked=keep keeps the form.",
    FailureCode.SOFT_404: "Check {url}: {host} says that there is no such page. on_blocked=keep keeps what it shows.",
    FailureCode.EMPTY_PAGE: "Open {url} in a browser: if it has something to read there, it is made by scripts, which are not run.",
    FailureCode.UNSUPPORTED_CONTENT: "Leave {url} out, or fetch it with another tool: its kind of content is not converted.",
    FailureCode.DOCUMENT_ENCRYPTED: "Remove the password from {url}, and submit it again.",
    FailureCode.DOCUMENT_BROKEN: "Open {url} in the program that made it: if that can read it, save it again.",
    FailureCode.DOCUMENT_TOO_LARGE: "Split {url}, or raise the limit that the message names if you trust {host}.",
    FailureCode.TOO_MANY_PAGES: "Raise THRESHER_DOCUMENT_MAX_PAGES if all of {url} is wanted.",
    FailureCode.NO_TEXT: "If {url} is a scan, install thresher[ocr]: without it there is nothing to read on it.",
    FailureCode.CONVERSION_FAILED: "Please report {url}: a page that a browser shows should convert.",
    FailureCode.CONVERSION_LIMIT: "Raise the limit that the message names, if {url} is wanted all the same.",
    FailureCode.PARSER_NO_MATCH: "Leave {url} out, or POST /v1/batches/{batch}/apply with another parser, or none: the page is stored.",
    FailureCode.PARSER_FAILED: "Try the parser on {url} and mend it if it is yours, else report it; POST /v1/batches/{batch}/apply with it, another or none: the page is stored.",
    FailureCode.PAGE_GONE: "Fetch {url} in a new batch: the page that this item was to be made of is no longer stored.",
    FailureCode.FILE_GONE: "Upload {url} again, and make a new batch of it: the file is no longer there.",
    FailureCode.WORKER_LOST: "Look into the workers' log for what ended them at {url}, and please report it.",
    FailureCode.DEADLINE: "Retry it, in a batch with more time, or with fewer pages of {host} in it: the time was over {after}.",
    FailureCode.CANCELLED: "Retry it if it is wanted after all: the batch was cancelled {after}.",
    FailureCode.INTERNAL: "Retry it; if it fails again, please report it with what the log says of this item.",
    FailureCode.CONTENT_UNAVAILABLE: "Fetch {url} again in a new batch, and look at the blob store: an object is missing or damaged.",
}

_OF_FILES: dict[FailureCode, str] = {
    FailureCode.TOO_LARGE: "Raise THRESHER_DOCUMENT_MAX_BYTES if {url} is wanted all the same.",
    FailureCode.EMPTY_PAGE: "Look into {url}: there is nothing in it to read.",
    FailureCode.DEADLINE: "Retry it, in a batch with more time: that for {url} was over {after}.",
}
_BY_STATUS = {
    401: "Send headers that log in to {host}, or leave {url} out: it is not public (401).",
    403: "Ask the owner of {host} for access to {url}, or leave it out: it is not public (403).",
    404: "Check {url}: {host} has no such page (404).",
    410: "Leave {url} out: {host} says that the page is gone for good (410).",
}
_NOWHERE = "Check {url}: {host} redirects it ({status}), and does not say where to."


def remedy(code: FailureCode, case: Case) -> str:
    """A sentence; where a retry can help, one more that says how."""
    text = None if case.host else _OF_FILES.get(code)
    if code is FailureCode.HTTP_4XX and case.status is not None:
        text = _NOWHERE if case.status < 400 else _BY_STATUS.get(case.status)
    said = (text or _REMEDIES[code]).format(
        url=case.url,
        host=case.host or "where it comes from",
        batch=case.batch,
        status=case.status,
        tries={1: "when it was tried"}.get(case.tries, f"in {case.tries} tries"),
        after={0: "before it was tried", 1: "after it was tried once"}.get(case.tries, f"after {case.tries} tries"),
    )
    if FAILURES[code].retryable:
        said += (
            f" Once the batch is done, POST /v1/batches/{case.batch}/retry?codes={code} tries all again that failed so."
        )
    return said
