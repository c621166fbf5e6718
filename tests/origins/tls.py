"""TLS broken in every way: certificates, versions, ciphers, handshakes and endings."""

import asyncio
import os
import socket
import ssl
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import trustme
from tests.origins.raw import Exchange, RawOrigin, Responder, reply, sends
from tests.origins.script import HTML, OK, PAGE, SHORT, WHOLE, Script, raw

from thresher.domain.failure import FailureCode

TLS, MALFORMED = FailureCode.TLS_ERROR, FailureCode.MALFORMED_RESPONSE
HOST = "tls.example"


class Greeting(RawOrigin):
    """Says its piece to the first bytes of a connection, whatever they are."""

    def __init__(self, respond: Responder) -> None:
        super().__init__({})
        self._respond = respond

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.read(1)
        await self._respond(Exchange("", {}, number, 1, writer))
        while not writer.is_closing() and await reader.read(4096):
            pass


async def _ragged(exchange: Exchange) -> None:
    """Ends the TCP connection without ending TLS first (no close_notify), as a cut line looks."""
    with socket.socket(fileno=os.dup(exchange.writer.get_extra_info("socket").fileno())) as raw_socket:
        raw_socket.shutdown(socket.SHUT_WR)


def ragged(data: bytes) -> Responder:
    async def respond(exchange: Exchange) -> None:
        await exchange.send(data)
        await _ragged(exchange)

    return respond


def _context(issued: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if issued is not None:
        issued.configure_cert(context)
    return context


def _limited(issued: trustme.LeafCert, version: ssl.TLSVersion, ciphers: str) -> ssl.SSLContext:
    context = _context(issued)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are deprecated is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    context.set_ciphers(ciphers)
    return context


def _self_signed() -> ssl.SSLContext:
    authority, context = trustme.CA(), _context()
    with authority.cert_pem.tempfile() as cert, authority.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
    return context


def server_hello(version: bytes) -> bytes:
    """What a server says that agrees to a version of TLS (RFC 5246, section 7.4.1.3) and one old cipher."""
    hello = version + bytes(32) + b"\0" + b"\xc0\x13" + b"\0"
    message = b"\2" + len(hello).to_bytes(3, "big") + hello
    return b"\x16" + version + len(message).to_bytes(2, "big") + message


def scripts(authority: trustme.CA) -> Iterator[tuple[Script, RawOrigin]]:
    """Each script with its origin, which is yet to be entered. `authority` is the one that the client trusts."""
    now, day = datetime.now(UTC), timedelta(days=1)
    good = authority.issue_cert(HOST)
    page = {"/": reply(PAGE, headers={"Content-Type": "text/html"})}
    contexts = {
        "the certificate has expired": (_context(authority.issue_cert(HOST, not_before=now - 9 * day, not_after=now - day)), "expired"),
        "the certificate is not valid yet": (_context(authority.issue_cert(HOST, not_before=now + day, not_after=now + 9 * day)), "not yet valid"),
        "the certificate is for another host": (_context(authority.issue_cert("other.example")), "for another host name"),
        "the certificate is for an address": (_context(authority.issue_cert("127.0.0.1")), "for another host name"),
        "the certificate is of an unknown authority": (_context(trustme.CA().issue_cert(HOST)), "unknown authority"),
        "the certificate has signed itself": (_self_signed(), "self-signed"),
        "the server speaks TLS 1.0 only": (_limited(good, ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0"), "closed"),
        "the server speaks TLS 1.1 only": (_limited(good, ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"), "closed"),
        "the server has weak ciphers only": (_limited(good, ssl.TLSVersion.TLSv1_2, "AECDH-NULL-SHA:aNULL:eNULL:@SECLEVEL=0"), "closed"),
        "the server has no certificate": (_context(), "closed"),
    }  # fmt: skip
    for name, (context, says) in contexts.items():
        yield Script(name, reply(), TLS, says), RawOrigin(page, tls=context)
    alert = b"\x15\x03\x03\0\2\2"
    greetings = {
        "plain HTTP is spoken where TLS is due": (raw(WHOLE), "does not speak TLS"),
        "SSH is spoken where TLS is due": (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), "does not speak TLS"),
        "rubbish is spoken where TLS is due": (raw(bytes(range(200))), "does not speak TLS"),
        "the server agrees to TLS 1.0": (raw(server_hello(b"\3\1")), "old protocol version"),
        "the server agrees to SSL 3": (raw(server_hello(b"\3\0")), "old protocol version"),
        "the handshake is answered with a version alert": (raw(alert + b"\x46"), "no protocol version of ours"),
        "the handshake is closed": (raw(b""), "closed"),
        "the handshake is answered with an alert": (raw(alert + b"\x28"), "handshake failure"),
        "the handshake is answered with an internal error": (raw(alert + b"\x50"), "internal error"),
        "the handshake is answered with an unknown name": (raw(alert + b"\x70"), "unrecognized name"),
        "the handshake breaks off in the middle": (raw(b"\x16\x03\x03\0\x7a\2\0\0\x76\x03\x03"), "closed"),
    }
    for name, (respond, says) in greetings.items():
        yield Script(name, respond, TLS, says), Greeting(respond)
    yield Script("the handshake stalls", sends(b""), FailureCode.TIMEOUT, timeout=SHORT), Greeting(sends(b""))
    asking = _context(good)
    asking.verify_mode = ssl.CERT_REQUIRED  # in TLS 1.3 the client has its handshake before it hears of that
    yield Script("the server wants a certificate", reply(), MALFORMED, "without a word"), RawOrigin(page, tls=asking)
    endings = (
        Script("a body with a length ends without close_notify", ragged(WHOLE)),
        Script("a body without a length ends without close_notify", ragged(OK + HTML + b"\r\n" + PAGE)),
        Script("a body breaks off without close_notify", ragged(WHOLE[:-9]), MALFORMED, f"{len(PAGE) - 9} of {len(PAGE)} bytes"),
        Script("all is well with TLS", reply(PAGE, headers={"Content-Type": "text/html"})),
    )  # fmt: skip
    for script in endings:
        yield script, RawOrigin({"/": script.respond}, tls=_context(good))
