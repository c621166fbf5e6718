"""Answers that come a byte at a time, and answers without an end."""

import asyncio

from tests.origins.raw import Exchange, Responder, drips, sends
from tests.origins.script import CHUNKED, HTML, OK, SHORT, Script, chunk

from thresher.domain.failure import FailureCode

MALFORMED, TOO_LARGE, TIMEOUT = FailureCode.MALFORMED_RESPONSE, FailureCode.TOO_LARGE, FailureCode.TIMEOUT

EVERY = 0.05  # seconds
BLOCK = 65_536


def trickles(head: bytes, tail: bytes) -> Responder:
    """Sends `head`, then `tail` again and again, byte by byte."""

    async def respond(exchange: Exchange) -> None:
        await exchange.send(head)
        while not exchange.writer.is_closing():
            for byte in tail:
                await exchange.send(bytes([byte]))
                await asyncio.sleep(EVERY)

    return respond


def endless(head: bytes, piece: bytes) -> Responder:
    """Sends `head`, then `piece` again and again, as fast as they are taken."""
    return drips(head, piece * max(1, BLOCK // len(piece)), 0)


def _slow(name: str, respond: Responder, says: str) -> Script:
    return Script(name, respond, TIMEOUT, says, timeout=SHORT)


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

SCRIPTS = (
    _slow("nothing ever comes", sends(b""), "had not answered"),
    _slow("the status line comes a byte at a time", trickles(b"", b"HTTP/1.1 200 " + b"O" * 1000), "had not answered"),
    _slow("the headers come a byte at a time", trickles(OK, b"X-Slow: y\r\n"), "had not answered"),
    _slow("the body comes a byte at a time", trickles(OK + HTML + b"\r\n", b"x"), "of the body"),
    _slow("a body with a length comes a byte at a time", trickles(OK + HTML + b"Content-Length: 9000\r\n\r\n", b"x"), "of 9000 bytes"),
    _slow("the chunks come a byte at a time", trickles(CHUNKED + b"\r\n", b"1\r\nx\r\n"), "of the body"),
    _slow("a chunk's size comes a byte at a time", trickles(CHUNKED + b"\r\n", b"0"), "0 bytes of the body"),
    _slow("a chunk's extension comes a byte at a time", trickles(CHUNKED + b"\r\n5;", b"x"), "0 bytes of the body"),
    _slow("trailers come a byte at a time", trickles(CHUNKED + b"\r\n0\r\n", b"X: y\r\n"), "0 bytes of the body"),
    _slow("100s come a byte at a time", trickles(b"", CONTINUE), "had not answered"),
    _slow("the body stops in the middle", sends(OK + HTML + b"Content-Length: 9000\r\n\r\nx"), "1 of 9000 bytes"),
    _slow("the head stops in the middle", sends(OK + HTML), "had not answered"),
    Script("the body has no end", endless(OK + HTML + b"\r\n", b"<p>more</p>"), TOO_LARGE, "larger than"),
    Script("the chunks have no end", endless(CHUNKED + b"\r\n", chunk(b"x" * 1000)), TOO_LARGE, "larger than"),
    Script("chunks of one byte have no end", endless(CHUNKED + b"\r\n", chunk(b"x")), MALFORMED, "more than"),
    Script("a chunk size has no end", endless(CHUNKED + b"\r\n", b"0"), MALFORMED, "more than"),
    Script("a chunk extension has no end", endless(CHUNKED + b"\r\n5;", b"x"), MALFORMED, "more than"),
    Script("an odd head's chunk extension has no end", endless(CHUNKED + b"odd\r\n\r\n5;", b"x"), MALFORMED, "more than"),
    Script("the trailers have no end", endless(CHUNKED + b"\r\n0\r\n", b"X: y\r\n"), MALFORMED, ""),
    Script("a trailer has no end", endless(CHUNKED + b"\r\n0\r\nX: ", b"y"), MALFORMED, "long"),
    Script("the headers have no end", endless(OK, b"X-More: y\r\n"), MALFORMED, "Too many headers"),
    Script("a header has no end", endless(OK + b"X-More: ", b"y"), MALFORMED, "long"),
    Script("a header's name has no end", endless(OK, b"y"), MALFORMED, "long"),
    Script("a reason has no end", endless(b"HTTP/1.1 200 ", b"O"), MALFORMED, "long"),
    Script("the empty lines before an answer have no end", endless(b"", b"\r\n"), MALFORMED, "more than"),
    Script("the 100s have no end", endless(b"", CONTINUE), MALFORMED, "more than"),
    Script("the early hints have no end", endless(b"", b"HTTP/1.1 103 E\r\nLink: </a>\r\n\r\n"), MALFORMED, "more than"),
)  # fmt: skip
