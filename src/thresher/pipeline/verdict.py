"""What an HTTP answer means for the item: success, or which failure. (Content verdicts come on top of this.)"""

import email.utils
import time
from datetime import UTC

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
