"""The web of the soak: ordinary sites, broken servers, bombs, and some that are slow or say no; all behind one port.

The host name says who answers, so that each has connections, limits and robots rules of its own.
"""

import gzip
import random
from collections.abc import Iterator

from tests.origins import catalogue
from tests.origins.raw import NOT_FOUND, Exchange, RawOrigin, Responder, redirect, reply
from tests.support.bombs import HTML

SITES = 100  # ordinary ones
BOMB = 200_000  # bytes
# Of a hundred pages; the rest are ordinary.
BROKEN, BOMBS, REFUSALS = 12, 6, 4
_TYPE = {"Content-Type": "text/html; charset=utf-8"}
_REFUSALS = (404, 410, 403, 500)
_WORDS = ("wheat", "barley", "rye", "oats", "spelt", "millet", "sheaf", "straw", "chaff", "grain", "stalk", "barn")


class Web(RawOrigin):
    """Answers for every host name of `urls`."""

    def __init__(self) -> None:
        super().__init__({})
        self._bombs = [gzip.compress(make(BOMB), 1) for make in HTML.values()]

    @property
    def environment(self) -> dict[str, str]:
        """Settings under which every host name leads here."""
        return {"THRESHER_CONNECT_TO": f"*:80=127.0.0.1:{self.port}", "THRESHER_FETCH_ALLOW": "127.0.0.0/8"}

    def responder(self, exchange: Exchange) -> Responder:
        kind, _, number = exchange.headers["host"].partition(".")[0].partition("-")
        self.seen.clear()  # nothing here may grow either
        match kind:
            case "broken":
                script = catalogue.SCRIPTS[int(number) % len(catalogue.SCRIPTS)]
                return script.respond if exchange.path == "/" else (script.paths or {}).get(exchange.path, NOT_FOUND)
            case _ if exchange.path == "/robots.txt":
                return NOT_FOUND
            case "bomb":
                body = self._bombs[int(number) % len(self._bombs)]
                return reply(body, headers=_TYPE | {"Content-Encoding": "gzip"})
            case "refusal":
                return reply(b"<title>No</title><p>No.", _REFUSALS[int(number) % len(_REFUSALS)], _TYPE)
        if exchange.path.startswith("/old"):
            return redirect(exchange.path.replace("/old", "/page"))
        return reply(_page(exchange.path), headers=_TYPE | {"Content-Encoding": "gzip"})


def urls(round_: int, pages: int) -> list[str]:
    """The pages of a round, all kinds well mixed; no URL is in two rounds."""
    return [_url(round_ * pages + n, n) for n in range(pages)]


def is_ordinary(url: str) -> bool:
    return url.startswith("http://site-")


def _url(serial: int, place: int) -> str:
    share = place * 37 % 100  # every kind throughout the list
    for kind, part in (("broken", BROKEN), ("bomb", BOMBS), ("refusal", REFUSALS)):
        if share < part:
            return f"http://{kind}-{serial * 31 % 100_003}.{kind}{serial}.example/"
        share -= part
    path = "old" if share % 20 == 0 else "page"
    return f"http://site-{serial % SITES}.farm{serial % SITES}.example/{path}/{serial}"


def _page(path: str) -> bytes:
    chance = random.Random(path)
    return gzip.compress("".join(_parts(path, chance)).encode(), 1)


def _parts(path: str, chance: random.Random) -> Iterator[str]:
    yield f"<!doctype html><html lang=en><title>{path}</title><main><h1>{path}</h1>"
    for _ in range(chance.randrange(5, 60)):
        yield f"<p>{' '.join(chance.choices(_WORDS, k=80))} <a href='/page/{chance.randrange(10**6)}'>more</a></p>"
