"""Connections that are reset or cut at each phase of an answer."""

import socket

from tests.origins.raw import Exchange, Responder
from tests.origins.script import CHUNKED, HTML, OK, PAGE, WHOLE, Script, chunk, raw

from thresher.domain.failure import FailureCode

MALFORMED, REFUSED = FailureCode.MALFORMED_RESPONSE, FailureCode.CONNECT_REFUSED


def resets(data: bytes) -> Responder:
    """Sends, and then resets instead of closing."""

    async def respond(exchange: Exchange) -> None:
        if data:
            await exchange.send(data)
        sock = exchange.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        exchange.reset()

    return respond


HALF = len(PAGE) // 2

SCRIPTS = (
    Script("a reset comes instead of an answer", resets(b""), REFUSED, "reset"),
    Script("a reset comes in the status line", resets(b"HTTP/1."), MALFORMED, "reset"),
    Script("a reset comes in the headers", resets(OK + HTML), MALFORMED, "reset"),
    Script("a reset comes before the body", resets(WHOLE[: -len(PAGE)]), MALFORMED, f"0 of {len(PAGE)} bytes"),
    Script("a reset comes in a body with a length", resets(WHOLE[:-HALF]), MALFORMED, f"of {len(PAGE)} bytes"),
    Script("a reset comes in a body without a length", resets(OK + HTML + b"\r\n" + PAGE[:HALF]), MALFORMED, "reset"),
    Script("a reset comes in a chunk", resets(CHUNKED + b"\r\n" + chunk(PAGE)[:HALF]), MALFORMED, "reset"),
    Script("a reset comes between two chunks", resets(CHUNKED + b"\r\n" + chunk(PAGE)), MALFORMED, "reset"),
    Script("a reset comes in a 100", resets(b"HTTP/1.1 100 Continue\r\n"), MALFORMED, "reset"),
    Script("the end comes before the body", raw(WHOLE[: -len(PAGE)]), MALFORMED, f"0 of {len(PAGE)} bytes"),
    Script("the end comes in the body", raw(WHOLE[:-1]), MALFORMED, f"{len(PAGE) - 1} of {len(PAGE)} bytes"),
)  # fmt: skip
