"""What an answer means for the item: success, or which failure. By its status, and by what the converter made of it.

How a challenge is told from a page is convert/verdict.py's.
"""

import email.utils
import re
import time
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from thresher.domain.choices import OnBlocked
from thresher.domain.failure import FailureCode, ItemFailed

_RATE_LIMITED = frozenset({429, 430})  # 430: one large shop host's own 429


def check_status(status: int, retry_after: float | None) -> None:
    """Raise ItemFailed unless the status is a success. 503 means overload only where the server says when to return."""
    if 200 <= status < 300:
        return
    if status in _RATE_LIMITED or (status == 503 and retry_after is not None):
        raise ItemFailed(FailureCode.RATE_LIMITED, f"The server answered {status}.")
    if status >= 500:
        raise ItemFailed(FailureCode.HTTP_5XX, f"The server answered {status}.")
    raise ItemFailed(FailureCode.HTTP_4XX, f"The server answered {status}.")


# Error statuses under which sites send challenges and block pages as well as plain errors.
DOUBTFUL = frozenset({403, 503})

_NOT_THE_PAGE = {
    FailureCode.SITE_BLOCKED: "A challenge or a block page",
    FailureCode.LOGIN_REQUIRED: "A login page",
    FailureCode.SOFT_404: "A page that says there is no such page",
    FailureCode.EMPTY_PAGE: "An empty page",
}


def check_content(verdict: Mapping[str, Any] | None, on_blocked: OnBlocked) -> None:
    """Raise ItemFailed for an answer of success that is not the page, unless the batch keeps such answers.

    `verdict` is the converter's: {code, evidence}, or None for a page.
    """
    if verdict is not None and on_blocked is OnBlocked.FAIL:
        code = FailureCode(verdict["code"])
        raise ItemFailed(code, f"{_NOT_THE_PAGE[code]}: {', '.join(verdict['evidence'])}.")


def check_parsed(unparsed: Mapping[str, Any] | None) -> None:
    """Raise ItemFailed if the batch's parser made nothing of the page: `unparsed` is why, {code, detail}."""
    if unparsed is not None:
        raise ItemFailed(FailureCode(unparsed["code"]), unparsed["detail"])


# A server's own page for the status, in which nobody speaks of robots.
_STATUS_AGAIN = re.compile(r"(?:the title|a heading) says '[^']*\b(?:403|forbidden)\b[^']*'")


def check_error_page(status: int, verdict: Mapping[str, Any] | None) -> None:
    """Raise ItemFailed(site_blocked) for an error that is a challenge or a block page: that says more than its status."""
    if verdict is None or verdict["code"] != FailureCode.SITE_BLOCKED:
        return
    if not all(map(_STATUS_AGAIN.fullmatch, verdict["evidence"])):
        evidence = ", ".join(verdict["evidence"])
        detail = f"The server answered {status} with a challenge or a block page: {evidence}."
        raise ItemFailed(FailureCode.SITE_BLOCKED, detail)


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from now, of a Retry-After header in either form (RFC 9110 section 10.2.3), or None if there is none."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
        if moment.tzinfo is None:  # the zone is missing, or "-0000": HTTP dates are in UTC, whatever the machine's zone
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
