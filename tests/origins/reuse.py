"""Kept connections: gone stale just as they are used again, or carrying answers that nobody asked for."""

from tests.origins.breaks import resets
from tests.origins.raw import Exchange, Responder, response
from tests.origins.script import HTML, WHOLE, Script, held

from thresher.domain.failure import FailureCode

MALFORMED = FailureCode.MALFORMED_RESPONSE
POISON = b"HTTP/1.1 200 OK\r\n" + HTML + b"Content-Length: 21\r\n\r\n<p>This is poison.</p>"
ON = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /there\r\n\r\n"
THERE: dict[str, Responder] = {"/there": held(WHOLE)}


def stale(ending: Responder) -> Responder:
    """Ends the connection by which a request comes that is not its first; a first request gets the page."""

    async def respond(exchange: Exchange) -> None:
        if exchange.turn == 1:
            await exchange.send(WHOLE)
        else:
            await ending(exchange)

    return respond


async def _close(exchange: Exchange) -> None:
    exchange.close()


SCRIPTS = (
    Script("a kept connection is closed as it is used again", stale(_close)),
    Script("a kept connection is reset as it is used again", stale(resets(b""))),
    Script("a kept connection breaks off in its second answer", stale(resets(WHOLE[:30])), MALFORMED),
    Script("every connection is closed unanswered", _close, MALFORMED, "closed"),
    Script("a second answer comes with the first", held(ON + POISON), paths=THERE),
    Script("a second answer comes in the body of the first", held(ON.replace(b"Length: 0", b"Length: 5") + b"x" * 5 + POISON), paths=THERE),
    Script("half a second answer comes with the first", held(ON + POISON[:40]), paths=THERE),
    Script("a second answer comes with robots.txt", held(WHOLE), paths={"/robots.txt": held(response(b"no", 404) + POISON)}),
)  # fmt: skip
