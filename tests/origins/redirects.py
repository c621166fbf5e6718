"""Redirects that lead nowhere, in a circle, or where nobody should be led."""

from tests.origins.raw import Exchange, Responder, redirect, reply, sends
from tests.origins.script import HTML, LENGTH, OK, PAGE, WHOLE, Script, held, raw
from tests.origins.slow import endless

from thresher.domain.failure import FailureCode

INVALID, MANY, H4 = FailureCode.INVALID_URL, FailureCode.TOO_MANY_REDIRECTS, FailureCode.HTTP_4XX
MOVED = b"HTTP/1.1 302 Found\r\n"


def _to(location: bytes) -> Responder:
    return held(MOVED + b"Content-Length: 0\r\nLocation: " + location + b"\r\n\r\n")


def _countdown(hops: int) -> dict[str, Responder]:
    """/0 leads to /1 and so on; the last is the page."""
    return {f"/{n}": redirect(f"/{n + 1}") for n in range(hops)} | {f"/{hops}": held(WHOLE)}


THERE: dict[str, Responder] = {"/there": held(WHOLE)}


async def _with_a_body(exchange: Exchange) -> None:
    await exchange.send(MOVED + b"Content-Length: 5000\r\nLocation: /there\r\n\r\n" + b"x" * 5000)


SCRIPTS = (
    Script("a redirect says not where", held(MOVED + LENGTH + HTML + b"\r\n" + PAGE), H4, "302"),
    Script("a redirect leads to an empty place", held(MOVED + b"Content-Length: 0\r\nLocation: \r\n\r\n"), H4, "302"),
    Script("a redirect leads to itself", redirect("/"), MANY, "more than 10 times"),
    Script("two redirects lead to each other", redirect("/a"), MANY, "more than 10", paths={"/a": redirect("/")}),
    Script("a redirect leads to itself with an ever longer query", redirect("?a"), MANY, paths={"/?a": redirect("/?a")}),
    Script("eleven redirects come one after the other", redirect("/0"), MANY, "more than 10", paths=_countdown(10)),
    Script("ten redirects come one after the other", redirect("/0"), paths=_countdown(9)),
    *(
        Script(f"a redirect leads to {where}", _to(url), INVALID, "redirected to an unusable URL")
        for where, url in {
            "a script": b"javascript:alert(1)",
            "data": b"data:text/html,<p>hello",
            "a file": b"file:///etc/passwd",
            "FTP": b"ftp://ftp.example/",
            "gopher": b"gopher://gopher.example/_x",
            "about:blank": b"about:blank",
            "a host without a name": b"http://",
            "rubbish": b"http://[::g]/",
            "a port that is none": b"http://a.example:99999/",
            "a name and a password": b"http://user:secret@a.example/",
            "a host with a space": b"http://a b.example/",
        }.items()
    ),
    Script("a redirect leads to a private address", _to(b"http://10.0.0.1:8080/"), FailureCode.BLOCKED_ADDRESS),
    Script("a redirect leads to the own machine", _to(b"http://[::1]:8080/"), FailureCode.BLOCKED_ADDRESS),
    Script("a redirect leads to a place of 60 KiB", _to(b"/" + b"a" * 60_000), INVALID, "more than 8192 bytes"),
    Script("a redirect leads to a place of 70 KiB", _to(b"/" + b"a" * 70_000), FailureCode.MALFORMED_RESPONSE, "long"),
    Script("a redirect has a fragment", _to(b"/there#part"), paths=THERE),
    Script("a redirect has backslashes", _to(rb"\there"), paths=THERE),
    Script("a redirect has spaces around", _to(b"  /there \t"), paths=THERE),
    Script("a redirect has two places alike", _to(b"/there\r\nLocation: /there"), paths=THERE),
    Script("a redirect has two places", _to(b"/there\r\nLocation: /elsewhere"), paths=THERE),
    Script("a redirect has an endless body", endless(MOVED + b"Location: /there\r\n\r\n", b"x"), paths=THERE),
    Script("a redirect has a body", _with_a_body, paths=THERE),
    Script("a redirect has a body that breaks off", raw(MOVED + b"Content-Length: 5000\r\nLocation: /there\r\n\r\nx"), paths=THERE),
    Script("a redirect has a body that stops", sends(MOVED + b"Content-Length: 5000\r\nLocation: /there\r\n\r\nx"), paths=THERE),
    Script("a 300 has a place", held(b"HTTP/1.1 300 X\r\nLocation: /there\r\n" + HTML + LENGTH + b"\r\n" + PAGE), H4, "300"),
    Script("a page has a place", held(OK + b"Location: /there\r\n" + HTML + LENGTH + b"\r\n" + PAGE), paths={"/there": reply(b"", 500)}),
)  # fmt: skip
