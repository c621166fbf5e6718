"""Heads of a response that are odd, broken or no HTTP at all."""

import asyncio

from tests.origins.raw import Exchange, Responder, drips
from tests.origins.script import HTML, LENGTH, OK, PAGE, WHOLE, Script, held, raw

from thresher.domain.failure import FailureCode

MALFORMED, TOO_LARGE = FailureCode.MALFORMED_RESPONSE, FailureCode.TOO_LARGE
H4, H5 = FailureCode.HTTP_4XX, FailureCode.HTTP_5XX


def _with(line: bytes) -> bytes:
    return OK + HTML + line + LENGTH + b"\r\n" + PAGE


def _status(line: bytes) -> bytes:
    return line + b"\r\n" + HTML + LENGTH + b"\r\n" + PAGE


def _in_lines(data: bytes) -> Responder:
    """Sends each line of the head by itself, in packets of its own."""

    async def respond(exchange: Exchange) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        for line in (*head.split(b"\r\n"), b""):
            await exchange.send(line + b"\r\n")
            await asyncio.sleep(0.01)
        await exchange.send(body)

    return respond


SCRIPTS = (
    # what comes before the status line, or instead of it
    Script("the connection is closed without a word", raw(b""), MALFORMED, "closed the connection"),
    Script("an empty line comes before the status line", raw(b"\r\n" + WHOLE)),
    Script("rubbish comes before the status line", raw(b"rubbish\r\n" + WHOLE), MALFORMED, "not HTTP and begins with"),
    Script("the page comes without a head, as in HTTP/0.9", raw(PAGE), MALFORMED, "not HTTP and begins with"),
    Script("it speaks HTTP/2", held(b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x80\0\4\0\1\0\0\0\5\0\xff\xff\xff"), MALFORMED, "not HTTP and begins with"),
    Script("it says HTTP/2 in a status line", raw(_status(b"HTTP/2 200 OK")), MALFORMED, "HTTP"),
    Script("it says HTTP/2.0 in a status line", raw(_status(b"HTTP/2.0 200 OK"))),
    Script("it says HTTP/1.7", raw(_status(b"HTTP/1.7 200 OK")), MALFORMED, ""),
    Script("it says HTTP in lower case", raw(_status(b"http/1.1 200 OK")), MALFORMED, ""),
    Script("it speaks ICY", raw(_status(b"ICY 200 OK")), MALFORMED, ""),
    Script("it speaks SSH", held(b"SSH-2.0-OpenSSH_9.9\r\n"), MALFORMED, "not HTTP and begins with"),
    Script("it speaks SMTP", held(b"220 mx.example ESMTP ready\r\n"), MALFORMED, "not HTTP and begins with"),
    Script("it speaks Redis", held(b"-ERR wrong number of arguments\r\n"), MALFORMED, "not HTTP and begins with"),
    Script("it speaks TLS on a plain port", raw(b"\x15\x03\x01\0\2\2\x46"), MALFORMED, "not HTTP and begins with"),
    Script("it speaks nothing known", held(bytes(range(256)) * 4), MALFORMED, "not HTTP and begins with"),
    # the status
    Script("the status is 000", raw(_status(b"HTTP/1.1 000 X")), MALFORMED, "000"),
    Script("the status is 099", raw(_status(b"HTTP/1.1 099 X")), MALFORMED, "099"),
    Script("the status is 600", raw(_status(b"HTTP/1.1 600 X")), H5, "600"),
    Script("the status is 999", raw(_status(b"HTTP/1.1 999 Request denied")), H5, "999"),
    Script("the status is 20", raw(_status(b"HTTP/1.1 20 OK")), MALFORMED, "status"),
    Script("the status is 2000", raw(_status(b"HTTP/1.1 2000 OK")), MALFORMED, "status"),
    Script("the status is a word", raw(_status(b"HTTP/1.1 fine OK")), MALFORMED, "status"),
    Script("the status is missing", raw(_status(b"HTTP/1.1")), MALFORMED, "status"),
    Script("the status has no reason", raw(_status(b"HTTP/1.1 200"))),
    Script("the reason is not ASCII", raw(_status(b"HTTP/1.1 200 \xd6K\xff"))),
    Script("the reason is very long", raw(_status(b"HTTP/1.1 200 " + b"O" * 100_000)), MALFORMED, "long"),
    Script("a 204 has a body", raw(_status(b"HTTP/1.1 204 No Content")), FailureCode.EMPTY_PAGE, "no text"),
    Script("a 304 comes unasked, with a body", raw(_status(b"HTTP/1.1 304 Not Modified")), H4, "304"),
    Script("a 206 comes unasked, with a part", raw(_status(b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-300/9000")), MALFORMED, "part"),
    Script("a 206 comes unasked, with the whole", raw(_status(b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-%d/%d" % (len(PAGE) - 1, len(PAGE))))),
    Script("a 101 switches to another protocol", held(b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + PAGE), MALFORMED, "101"),
    Script("a 103 comes before the page", raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + WHOLE)),
    Script("five 100s come before the page", raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + WHOLE)),
    Script("only a 100 comes", raw(b"HTTP/1.1 100 Continue\r\n\r\n"), MALFORMED, "closed"),
    # the header lines
    Script("lines end with LF alone", raw(WHOLE.replace(b"\r\n", b"\n"))),
    Script("lines end with CR alone", raw(WHOLE.replace(b"\r\n", b"\r")), MALFORMED, ""),
    Script("a header goes on in the next line", raw(_with(b"X-Folded: a\r\n  b\r\n\tc\r\n"))),
    Script("the first header line is a continuation", raw(OK + b" X-Odd: a\r\n" + HTML + LENGTH + b"\r\n" + PAGE)),
    Script("a header has no colon", raw(_with(b"rubbish\r\n"))),
    Script("a header has no name", raw(_with(b": value\r\n"))),
    Script("a header has no value", raw(_with(b"X-Empty:\r\n"))),
    Script("a header has a space before its colon", raw(_with(b"X-Spaced : a\r\n"))),
    Script("a header's name is not ASCII", raw(_with(b"X-\xc3\xa4: a\r\n"))),
    Script("a header's value is not ASCII", raw(_with("X-Ou: là\r\n".encode("latin-1")))),
    Script("a header has a NUL", raw(_with(b"X-Nul: a\0b\r\n"))),
    Script("a header has control bytes", raw(_with(b"X-Control: \x01\x02\x7f\x1b[31m\r\n"))),
    Script("a header has a CR in it", raw(_with(b"X-Return: a\rb\r\n")), MALFORMED, ""),
    Script("a header is of 60 KiB", raw(_with(b"X-Long: " + b"x" * 60_000 + b"\r\n"))),
    Script("a header is of 70 KiB", raw(_with(b"X-Long: " + b"x" * 70_000 + b"\r\n")), MALFORMED, "long"),
    Script("a header's name is of 70 KiB", raw(_with(b"X" * 70_000 + b": y\r\n")), MALFORMED, "long"),
    Script("there are 400 headers", raw(_with(b"".join(b"X-%d: y\r\n" % n for n in range(400))))),
    Script("there are 1,000 headers", raw(_with(b"".join(b"X-%d: y\r\n" % n for n in range(1000)))), MALFORMED, "header"),
    Script("500 headers are of 60 KiB each", raw(_with((b"X-Long: " + b"x" * 60_000 + b"\r\n") * 500)), MALFORMED, ""),
    Script("a head with rubbish in it comes line by line", _in_lines(_with(b"rubbish\r\n"))),
    Script("a head with its length twice comes line by line", _in_lines(_with(LENGTH))),
    Script("a 103 with rubbish in it and a page with more come line by line", _in_lines(b"HTTP/1.1 103 X\r\nrubbish\r\n\r\n" + _with(b": x\r\n"))),
    Script("a head with two lengths comes line by line", _in_lines(_with(b"Content-Length: 7\r\n")), MALFORMED, "Content-Length"),
    Script("a head with rubbish in it breaks off", raw(OK + b"rubbish\r\n"), MALFORMED, "closed"),
    Script("a head with rubbish in it has no end", drips(OK + b"rubbish\r\n", b"x" * 65_536, 0), MALFORMED, "header"),
    Script("the head breaks off in the status line", raw(b"HTTP/1.1 200"), MALFORMED, "closed"),
    Script("the head breaks off in a header", raw(OK + b"Content-Le"), MALFORMED, "closed"),
    Script("the head breaks off before its empty line", raw(OK + HTML + LENGTH), MALFORMED, "closed"),
)  # fmt: skip
