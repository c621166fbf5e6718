"""Every way an item can fail: one table, from which docs/failures.md is generated.

A code is stable: clients branch on it. `retryable` says whether trying again can help, and so whether
Thresher itself tries again; `billed` whether the attempt is charged; `remedy` is a sentence for a person.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FailureCode(StrEnum):
    """The stable codes, in the order of an item's way through the pipeline."""

    INVALID_URL = "invalid_url"
    BLOCKED_ADDRESS = "blocked_address"
    ROBOTS_DISALLOWED = "robots_disallowed"
    DNS_NOT_FOUND = "dns_not_found"
    DNS_FAILED = "dns_failed"
    PROXY_FAILED = "proxy_failed"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_ERROR = "tls_error"
    TIMEOUT = "timeout"
    MALFORMED_RESPONSE = "malformed_response"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    TOO_LARGE = "too_large"
    DECOMPRESSION_BOMB = "decompression_bomb"
    BAD_ENCODING = "bad_encoding"
    RATE_LIMITED = "rate_limited"
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    SITE_BLOCKED = "site_blocked"
    LOGIN_REQUIRED = "login_required"
    SOFT_404 = "soft_404"
    EMPTY_PAGE = "empty_page"
    UNSUPPORTED_CONTENT = "unsupported_content"
    DOCUMENT_ENCRYPTED = "document_encrypted"
    DOCUMENT_BROKEN = "document_broken"
    DOCUMENT_TOO_LARGE = "document_too_large"
    TOO_MANY_PAGES = "too_many_pages"
    NO_TEXT = "no_text"
    CONVERSION_FAILED = "conversion_failed"
    CONVERSION_LIMIT = "conversion_limit"
    PARSER_NO_MATCH = "parser_no_match"
    PARSER_FAILED = "parser_failed"
    PAGE_GONE = "page_gone"
    FILE_GONE = "file_gone"
    WORKER_LOST = "worker_lost"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    INTERNAL = "internal"
    CONTENT_UNAVAILABLE = "content_unavailable"


@dataclass(frozen=True, slots=True)
class FailureKind:
    """What a code means. `meaning` and `remedy` are sentences for a person."""

    meaning: str
    retryable: bool
    remedy: str
    billed: bool = False


FAILURES: dict[FailureCode, FailureKind] = {
    FailureCode.INVALID_URL: FailureKind(
        "A redirect led to something that is no http or https URL, or to one that cannot be requested; the detail says why.",
        False,
        "Check where the page redirects to; Thresher fetches http and https only.",
    ),
    FailureCode.BLOCKED_ADDRESS: FailureKind(
        "The host resolves to an address that is not on the public internet, or the port is one that is never dialled.",
        False,
        "If the target is yours, add its network to THRESHER_FETCH_ALLOW.",
    ),
    FailureCode.ROBOTS_DISALLOWED: FailureKind(
        "The site's robots.txt disallows this path for Thresher's user agent.",
        False,
        "Ask the site's owner, or leave the page out.",
    ),
    FailureCode.DNS_NOT_FOUND: FailureKind(
        "The host name does not exist.",
        False,
        "Check the spelling of the host.",
    ),
    FailureCode.DNS_FAILED: FailureKind(
        "The host name could not be resolved: the name server failed or did not answer.",
        True,
        "Try again later; if every host fails, check the resolver of the machine that runs Thresher.",
    ),
    FailureCode.PROXY_FAILED: FailureKind(
        "The proxy that pages are fetched through could not be reached or did not do as asked; the detail says which.",
        True,
        "Check THRESHER_PROXIES and the proxy; the site was not asked.",
    ),
    FailureCode.CONNECT_REFUSED: FailureKind(
        "The server refused or reset the connection.",
        True,
        "Try again later; the server may be down or may not accept this client.",
    ),
    FailureCode.CONNECT_TIMEOUT: FailureKind(
        "No connection was established in time.",
        True,
        "Try again later; the server may be down or unreachable from here.",
    ),
    FailureCode.TLS_ERROR: FailureKind(
        "The TLS handshake failed; the detail says why.",
        False,
        "Check the site's certificate; a private authority can be trusted with THRESHER_EXTRA_CA.",
    ),
    FailureCode.TIMEOUT: FailureKind(
        "The response did not finish within the attempt's time limit.",
        True,
        "Try again later, or raise THRESHER_ATTEMPT_TIMEOUT; where the detail speaks of memory, THRESHER_FETCH_MEMORY_BYTES.",
    ),
    FailureCode.MALFORMED_RESPONSE: FailureKind(
        "The server's answer was not valid HTTP, or ended before it was complete; the detail says which.",
        True,
        "Try again later; if it stays, the server is broken, and the detail says what to tell its owner.",
    ),
    FailureCode.TOO_MANY_REDIRECTS: FailureKind(
        "The page redirected more often than the limit.",
        False,
        "Open the URL in a browser: it probably redirects in a circle.",
    ),
    FailureCode.TOO_LARGE: FailureKind(
        "The body, or the file, is larger than the limit.",
        False,
        "Raise THRESHER_MAX_BODY_BYTES if the page is wanted, THRESHER_DOCUMENT_MAX_BYTES if the file is.",
    ),
    FailureCode.DECOMPRESSION_BOMB: FailureKind(
        "The body decompresses to more than the limit.",
        False,
        "Raise THRESHER_MAX_DECODED_BYTES only if you trust the site.",
    ),
    FailureCode.BAD_ENCODING: FailureKind(
        "The body is not in the content encoding that the server declared.",
        False,
        "Leave the page out, or tell the site's owner: the server is broken for this page.",
    ),
    FailureCode.RATE_LIMITED: FailureKind(
        "The site asked for fewer requests (429, 430, or 503 with Retry-After).",
        True,
        "Retry later, with fewer pages of this host at a time.",
    ),
    FailureCode.HTTP_4XX: FailureKind(
        "The server answered with a client error, or with a redirect that leads nowhere; http_status says which.",
        False,
        "Check the URL: 404 and 410 mean that the page is gone, 401 and 403 that it is not public.",
    ),
    FailureCode.HTTP_5XX: FailureKind(
        "The server answered with a server error; http_status says which.",
        True,
        "Try again later.",
    ),
    FailureCode.SITE_BLOCKED: FailureKind(
        "The site answered with a challenge or a block page instead of the page; the detail has the evidence.",
        False,
        "Ask the site's owner for access; on_blocked=keep keeps such answers.",
    ),
    FailureCode.LOGIN_REQUIRED: FailureKind(
        "The site answered with a login form instead of the page; the detail has the evidence.",
        False,
        "Send headers that log in, or leave it out: the page is not public. on_blocked=keep keeps such answers.",
    ),
    FailureCode.SOFT_404: FailureKind(
        "The site answered with a page that says there is no such page, under a status of success.",
        False,
        "Check the URL; on_blocked=keep keeps such answers.",
    ),
    FailureCode.EMPTY_PAGE: FailureKind(
        "The answer has nothing that a reader would see.",
        False,
        "Open it in a browser: it may be made by scripts, which are not run. on_blocked=keep keeps such answers.",
    ),
    FailureCode.UNSUPPORTED_CONTENT: FailureKind(
        "The content is of a type that Thresher does not convert; the detail names it.",
        False,
        "Leave it out, or fetch it with another tool.",
    ),
    FailureCode.DOCUMENT_ENCRYPTED: FailureKind(
        "The document is protected with a password.",
        False,
        "Remove the protection, and submit it again.",
    ),
    FailureCode.DOCUMENT_BROKEN: FailureKind(
        "The document is damaged, or is not what it begins as; the detail says what is wrong.",
        False,
        "Open it in the program that made it and save it again, if it opens there.",
    ),
    FailureCode.DOCUMENT_TOO_LARGE: FailureKind(
        "The document holds more than a limit allows: bytes when unpacked, parts or cells; the detail says which.",
        False,
        "Split it, or raise the limit that the detail names if you trust where it comes from.",
    ),
    FailureCode.TOO_MANY_PAGES: FailureKind(
        "The document has more pages than the limit.",
        False,
        "Choose fewer with target_pages or max_pages, or raise THRESHER_DOCUMENT_MAX_PAGES.",
    ),
    FailureCode.NO_TEXT: FailureKind(
        "The document has no text: it is empty, or its pages are pictures, such as scans.",
        False,
        "Scans need OCR: install thresher[ocr], or name the data of other languages with THRESHER_OCR_DATA.",
    ),
    FailureCode.CONVERSION_FAILED: FailureKind(
        "The page could not be converted.",
        False,
        "Please report the page: a page that a browser shows should convert.",
    ),
    FailureCode.CONVERSION_LIMIT: FailureKind(
        "Converting the page exceeded a limit of time, memory or output; the detail says which.",
        False,
        "Raise the limit that the detail names, if the page is wanted.",
    ),
    FailureCode.PARSER_NO_MATCH: FailureKind(
        "The page does not have what the batch's parser looks for; the detail says what.",
        False,
        "Leave the page out, or apply another parser, or none, to the batch: the page is stored.",
    ),
    FailureCode.PARSER_FAILED: FailureKind(
        "The batch's parser could not read the page; the detail says why.",
        False,
        "Mend the parser if it is yours, else report it; apply it again, another, or none, to the batch: the page is stored.",
    ),
    FailureCode.PAGE_GONE: FailureKind(
        "The stored page that this item was to be made of is gone: its batch was purged, or it cannot be read from the store.",
        False,
        "Fetch it again in a new batch.",
    ),
    FailureCode.FILE_GONE: FailureKind(
        "The file that this item is was deleted, or its time was over, before it was read; or it is no longer in the store.",
        False,
        "Upload it again, and make a new batch of it.",
    ),
    FailureCode.WORKER_LOST: FailureKind(
        "Worker processes died repeatedly while this item was in hand.",
        False,
        "Look at the workers' log; the page may be one that kills them. Please report it.",
    ),
    FailureCode.DEADLINE: FailureKind(
        "The item, or its batch, reached its deadline before it was done.",
        True,
        "Retry it; give the batch more time, or ask less of a slow host at once.",
    ),
    FailureCode.CANCELLED: FailureKind(
        "The batch was cancelled before this item was done.",
        True,
        "Retry it if it is wanted after all.",
    ),
    FailureCode.INTERNAL: FailureKind(
        "Thresher failed at this item; the log has the details under the item's id.",
        True,
        "Retry it; if it stays, please report it.",
    ),
    FailureCode.CONTENT_UNAVAILABLE: FailureKind(
        "The item was completed, and its result can no longer be read from the store.",
        False,
        "Fetch the page again in a new batch; look at the blob store: an object is missing or damaged.",
    ),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure: its code, and a sentence with the particulars (never an internal address, never a secret)."""

    code: FailureCode
    detail: str

    @property
    def kind(self) -> FailureKind:
        return FAILURES[self.code]


def failure_view(code: FailureCode, detail: str | None = None) -> dict[str, Any]:
    """A failure as clients see it, wherever they are told of it; without particulars it is told by its meaning."""
    kind = FAILURES[code]
    return {"code": code, "message": detail or kind.meaning, "retryable": kind.retryable, "remedy": kind.remedy}


class ItemFailed(Exception):
    """Raised anywhere in the pipeline where the cause is first known; carries the failure of the attempt."""

    def __init__(self, code: FailureCode, detail: str = "") -> None:
        super().__init__(code, detail)
        self.failure = Failure(code, detail or FAILURES[code].meaning)
