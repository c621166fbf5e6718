"""One hostile origin: what it does to a client, and how the item that meets it must end."""

from dataclasses import dataclass

from tests.origins.raw import Responder, sends

from thresher.domain.failure import FailureCode

PATIENT = 60.0  # seconds; scripts that end by themselves have time, however busy the machine
SHORT = 1.5  # seconds; for those that only the timeout ends

OK = b"HTTP/1.1 200 OK\r\n"
HTML = b"Content-Type: text/html; charset=utf-8\r\n"
SIGN = "Winter wheat is sown in autumn"
PAGE = (
    b"<!doctype html><title>Wheat</title><h1>Wheat</h1><p>Winter wheat is sown in autumn and harvested in summer. It "
    b"needs a cold season to flower, and so it stands in the field for nine months.</p><p>Spring wheat is sown in "
    b"March. It yields less, and more protein; bakers like it for that.</p>"
)
LENGTH = b"Content-Length: %d\r\n" % len(PAGE)
WHOLE = OK + HTML + LENGTH + b"\r\n" + PAGE


@dataclass(frozen=True)
class Script:
    """`code` is None where the page must come through, with `sign` in its markdown.

    `says` is a part of the detail. `body` is the exact body of a page that comes through, where that is the point.
    `paths` are answered besides "/"; the path of robots.txt is not there unless given.
    """

    name: str
    respond: Responder
    code: FailureCode | None = None
    says: str = ""
    sign: str = SIGN
    timeout: float = PATIENT
    paths: dict[str, Responder] | None = None


def raw(data: bytes) -> Responder:
    """Sends these very bytes, and closes."""
    return sends(data, then_close=True)


def held(data: bytes) -> Responder:
    """Sends these very bytes, and leaves the connection open."""
    return sends(data)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = OK + HTML + b"Transfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"
