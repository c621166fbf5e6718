"""The headers that a batch or an item sends with its requests, checked. A refusal names a header, and never its value."""

import re
from typing import Any

from thresher.api.olostep.faults import Faults, kind_of

MAX_HEADERS = 32
MAX_BYTES = 8192  # of names and values together

# What the engine answers for: how a message is framed and a connection is used, what can come back, and who is asking.
OURS = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    )
)
OURS_BEGIN = ("if-", "proxy-")
NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # a token of RFC 9110, section 5.6.2

_NAME = re.compile(NAME)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def read_headers(fields: dict[str, Any], faults: Faults, at: tuple[str | int, ...] = ()) -> dict[str, str] | None:
    """The headers of a batch or of an item, None without any; faults say that they are `at` that place in the request.

    {} is a choice: of an item, to send none of its batch's.
    """
    given, loc = fields.get("headers"), (*at, "headers")
    if given is None:
        return None
    if not isinstance(given, dict):
        faults.add(loc, f"must be an object of names and values, not {kind_of(given)}")
        return None
    if len(given) > MAX_HEADERS:
        faults.add(loc, f"{len(given)} headers; the limit is {MAX_HEADERS}", "too_long")
        return None
    found: dict[str, str] = {}
    for name, value in given.items():
        # What is no name may be a value in the wrong place.
        if not _NAME.fullmatch(name):
            faults.add(loc, f"the name of header {len(found) + 1} may have letters, digits and !#$%&'*+-.^_`|~ only")
        elif name.lower() in map(str.lower, found):
            faults.add((*loc, name), "is there twice; upper and lower case are the same", "duplicate")
        elif fault := _fault(name, value):
            faults.add((*loc, name), fault)
        else:
            found[name] = value.strip(" \t")
    if (size := sum(len(name) + len(value.encode()) for name, value in found.items())) > MAX_BYTES:
        faults.add(loc, f"{size} bytes; the limit of all names and values together is {MAX_BYTES}", "too_long")
    return found


def _fault(name: str, value: object) -> str | None:
    lower = name.lower()
    if lower == "user-agent":
        return "cannot be chosen: pages are asked for under the name of whoever runs this server (THRESHER_USER_AGENT)"
    if lower in OURS or lower.startswith(OURS_BEGIN):
        return "cannot be chosen: the server sets it itself, or never sends it"
    if not isinstance(value, str):
        return f"must be a string, not {kind_of(value)}"
    if _CONTROL.search(value):
        return "must not contain line breaks or other control characters"
    return None
