"""The border: every exception of the network becomes a failure of the table in domain/failure.py, here and only here.

A detail is for the caller: it says what the server or the network did, never which internal address was met.
"""

import errno
import re
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
from aiohttp.http_exceptions import HttpProcessingError, TransferEncodingError

from thresher.domain.failure import FailureCode, ItemFailed
from thresher.net.fetched import Attempt
from thresher.net.guard import AddressRefused
from thresher.net.receiver import BrokenOff
from thresher.net.tunnel import ProxyFailed, TargetUnreachable

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


# OpenSSL's codes of a certificate that did not verify (X509_V_ERR_*), as what a browser would call it.
_CERTIFICATES = {
    9: "its certificate is not yet valid",
    10: "its certificate has expired",
    18: "its certificate is self-signed",
    19: "its certificate is from an unknown authority",
    20: "its certificate is from an unknown authority",
    21: "its certificate is from an unknown authority",
    23: "its certificate was revoked",
    62: "its certificate is for another host name",
    64: "its certificate is for another host name",
}
_HANDSHAKES = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "the server speaks an old protocol version only",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server accepts no protocol version of ours",
}
_ALERT = re.compile(r"^(?:sslv3|tlsv1|tlsv13) (?:alert )?")


def failure_of(error: BaseException, attempt: Attempt) -> ItemFailed:
    """The failure for a network `error`; `attempt` says how far it came."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    for kind, failure in _TABLE:
        if isinstance(cause, kind):
            return failure(cause, attempt)
    return _malformed(cause, attempt)


def _dns(cause: BaseException, attempt: Attempt) -> ItemFailed:
    number = cause.args[0] if cause.args else None
    return ItemFailed(FailureCode.DNS_NOT_FOUND if number in _NO_SUCH_NAME else FailureCode.DNS_FAILED)


def _tls(cause: BaseException, attempt: Attempt) -> ItemFailed:
    if attempt.status is not None:
        return _malformed(cause, attempt)
    code, reason = getattr(cause, "verify_code", None), getattr(cause, "reason", None) or "handshake failure"
    why = _CERTIFICATES.get(code or 0) or getattr(cause, "verify_message", None) or _HANDSHAKES.get(reason)
    return _no_handshake(why or _ALERT.sub("", reason.replace("_", " ").lower()))


def _no_handshake(why: str) -> ItemFailed:
    return ItemFailed(FailureCode.TLS_ERROR, f"The TLS handshake failed: {why.rstrip('.')}.")


def _connect_timeout(cause: BaseException, attempt: Attempt) -> ItemFailed:
    if attempt.way.resolving:
        return ItemFailed(FailureCode.DNS_FAILED, "The name server did not answer in time.")
    if attempt.way.tunnel == "reaching":
        return ItemFailed(FailureCode.PROXY_FAILED, "The proxy could not be reached in time.")
    if attempt.way.tunnel == "asking":
        return ItemFailed(FailureCode.CONNECT_TIMEOUT, "The proxy did not connect to the server in time.")
    if attempt.way.dialled:
        return ItemFailed(FailureCode.CONNECT_TIMEOUT, "The TLS handshake was not finished in time.")
    return ItemFailed(FailureCode.CONNECT_TIMEOUT)


def _beyond_the_proxy(cause: BaseException, attempt: Attempt) -> ItemFailed:
    answered = getattr(cause, "status", None)
    code = FailureCode.CONNECT_TIMEOUT if answered == 504 else FailureCode.CONNECT_REFUSED
    return ItemFailed(code, f"The proxy could not connect to the server: it answered {answered}.")


def _proxy(cause: BaseException, attempt: Attempt) -> ItemFailed:
    return ItemFailed(FailureCode.PROXY_FAILED, getattr(cause, "detail", ""))


def _malformed(cause: BaseException, attempt: Attempt) -> ItemFailed:
    why = str(cause) if isinstance(cause, BrokenOff) else ""
    if attempt.status is not None:
        if not why:
            last = "its last chunk" if isinstance(cause.__cause__, TransferEncodingError) else "it was complete"
            why = f"the connection ended before {last}"
        return ItemFailed(FailureCode.MALFORMED_RESPONSE, f"The body is not whole: {why}; {attempt.progress()}.")
    if isinstance(cause, ClientResponseError):
        return ItemFailed(FailureCode.MALFORMED_RESPONSE, f"The answer is not valid HTTP: {cause.message}.")
    why = why or "the server closed the connection without a word"
    return ItemFailed(FailureCode.MALFORMED_RESPONSE, f"There was no whole answer: {why}.")


def _os_error(cause: BaseException, attempt: Attempt) -> ItemFailed:
    number = getattr(cause, "errno", None)
    if attempt.status is not None:
        return _malformed(cause, attempt)
    if number in _OUR_OWN:
        return ItemFailed(FailureCode.INTERNAL, f"No connection could be opened: {errno.errorcode[number]}.")
    if attempt.way.dialled and not attempt.way.connected:
        return _no_handshake("the server closed the connection")
    return ItemFailed(FailureCode.CONNECT_REFUSED, _REFUSED_TEXTS.get(number or 0, ""))


# The first row whose type fits counts: narrow types stand before the wide ones (almost all of them are OSErrors).
_TABLE: tuple[tuple[type[BaseException], Callable[[BaseException, Attempt], ItemFailed]], ...] = (
    (AddressRefused, lambda *_: ItemFailed(FailureCode.BLOCKED_ADDRESS)),
    (ProxyFailed, _proxy),
    (TargetUnreachable, _beyond_the_proxy),
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
