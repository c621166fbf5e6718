"""The border: every exception of the network becomes a failure of the table in domain/failure.py, here and only here.

A detail is for the caller: it says what the server or the network did, never which internal address was met.
"""

import errno
import socket
import ssl
from collections.abc import Callable

from aiohttp import (
    ClientError,
    ClientPayloadError,
    ClientResponseError,
    ConnectionTimeoutError,
    InvalidURL,
    ServerDisconnectedError,
)
from aiohttp.http_exceptions import HttpProcessingError

from thresher.domain.failure import FailureCode, ItemFailed
from thresher.net.connector import Passage
from thresher.net.guard import AddressRefused

# What a request can raise; anything else is a defect of ours and stays an exception.
NETWORK_ERRORS = (ClientError, HttpProcessingError, OSError)

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_OUR_OWN = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
_REFUSED_TEXTS = {
    errno.ECONNREFUSED: "The server refused the connection.",
    errno.ECONNRESET: "The server reset the connection.",
    errno.EPIPE: "The server closed the connection.",
    errno.ENETUNREACH: "There is no route to the server's network.",
    errno.EHOSTUNREACH: "There is no route to the server.",
}


def failure_of(error: BaseException, way: Passage, status: int | None) -> ItemFailed:
    """The failure for a network `error`: `way` is how far the request came, `status` the response's if there was one."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    for kind, failure in _TABLE:
        if isinstance(cause, kind):
            return failure(cause, way, status)
    return _malformed(cause, way, status)


def _dns(cause: BaseException, way: Passage, status: int | None) -> ItemFailed:
    number = cause.args[0] if cause.args else None
    return ItemFailed(FailureCode.DNS_NOT_FOUND if number in _NO_SUCH_NAME else FailureCode.DNS_FAILED)


def _tls(cause: BaseException, way: Passage, status: int | None) -> ItemFailed:
    if status is not None:
        return _malformed(cause, way, status)
    reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "handshake failed"
    return ItemFailed(FailureCode.TLS_ERROR, f"The TLS handshake failed: {str(reason).replace('_', ' ').lower()}.")


def _connect_timeout(cause: BaseException, way: Passage, status: int | None) -> ItemFailed:
    if way.resolving:
        return ItemFailed(FailureCode.DNS_FAILED, "The name server did not answer in time.")
    return ItemFailed(FailureCode.CONNECT_TIMEOUT)


def _malformed(cause: BaseException, way: Passage, status: int | None) -> ItemFailed:
    if isinstance(cause, ServerDisconnectedError) and status is None:
        return ItemFailed(FailureCode.MALFORMED_RESPONSE, "The server closed the connection without a full answer.")
    if status is not None:
        return ItemFailed(FailureCode.MALFORMED_RESPONSE, "The body ended before it was complete, or was not valid.")
    return ItemFailed(FailureCode.MALFORMED_RESPONSE, "The server's answer was not valid HTTP.")


def _os_error(cause: BaseException, way: Passage, status: int | None) -> ItemFailed:
    number = getattr(cause, "errno", None)
    if status is not None:
        return _malformed(cause, way, status)
    if number in _OUR_OWN:
        return ItemFailed(FailureCode.INTERNAL, f"No connection could be opened: {errno.errorcode[number]}.")
    return ItemFailed(FailureCode.CONNECT_REFUSED, _REFUSED_TEXTS.get(number or 0, ""))


# The first row whose type fits counts: narrow types stand before the wide ones (almost all of them are OSErrors).
_TABLE: tuple[tuple[type[BaseException], Callable[[BaseException, Passage, int | None], ItemFailed]], ...] = (
    (AddressRefused, lambda *_: ItemFailed(FailureCode.BLOCKED_ADDRESS)),
    (socket.gaierror, _dns),
    (ssl.SSLError, _tls),
    (ConnectionTimeoutError, _connect_timeout),
    (TimeoutError, _connect_timeout),  # ETIMEDOUT: the kernel gave up on the connection
    (InvalidURL, lambda *_: ItemFailed(FailureCode.INVALID_URL, "The URL cannot be requested.")),
    (ServerDisconnectedError, _malformed),
    (ClientPayloadError, _malformed),
    (ClientResponseError, _malformed),
    (HttpProcessingError, _malformed),
    (OSError, _os_error),
)
