"""What one fetch came to: the response as it came, or a failure with what was known by then."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter

from aiohttp import ClientResponse
from multidict import CIMultiDict

from thresher.domain.failure import ItemFailed
from thresher.domain.url import Url
from thresher.net.connector import Passage

# The headers that something later reads; the rest of a response's headers are not kept.
KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "last-modified",
    "etag",
    "retry-after",
    "x-robots-tag",
    "link",
    "location",
    "cf-mitigated",
    "x-amzn-waf-action",
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response, whatever its status.

    `url` is the final href and `redirects` the hrefs before it, oldest first. `body` is as it came over the wire, still in its `content_encoding`.
    `headers` are those of KEPT_HEADERS, lower-cased; bytes in them that are not UTF-8 are U+FFFD. `family` is 4 or 6. `ms` has `dns` and `connect`
    (each the sum over the hops, 0 for a kept connection), `tls` if some of `connect` was its handshakes, and `first_byte` and `total` since the start. `moved`: the response is a redirect
    to `url`, which was not followed.
    """

    url: str
    status: int
    body: bytes
    content_type: str | None
    content_encoding: str | None
    headers: dict[str, str]
    redirects: list[str]
    family: int
    ms: dict[str, float]
    moved: bool = False


class FetchFailed(ItemFailed):
    """A fetch without a usable response, with what was known by then.

    `status` of the response that failed midway, if one had begun; `bytes` of its body that had arrived; `ms` and
    `family` as in Fetched, as far as it came.
    """

    def __init__(self, cause: ItemFailed, attempt: "Attempt") -> None:
        super().__init__(cause.failure.code, cause.failure.detail)
        self.url = attempt.url.href
        self.status = attempt.status
        self.family = attempt.way.family
        self.bytes = attempt.received
        self.ms = attempt.ms()


@dataclass(frozen=True, slots=True)
class Validators:
    """What a site said of a page at `url`, by which it can be asked whether that is still the same (RFC 9110 section 13.1)."""

    url: str
    etag: str | None = None
    modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Of a conditional request; none if the site said nothing that can be said back."""
        said = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in said.items() if value and value.isascii() and value.isprintable()}


@dataclass(slots=True)
class Attempt:
    """One fetch under way: where it is and what it has seen."""

    url: Url
    redirects: list[str] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict, repr=False)  # over them, for the first origin only
    validators: Validators | None = None  # for the request to their own URL only
    way: Passage = field(default_factory=Passage)  # of the current hop
    status: int | None = None  # of the current hop
    expected: int | None = None  # bytes, of the current hop's body, where the server said so
    received: int = 0  # bytes, of the current hop's body
    waiting: bool = False  # for room to read the body into
    started: float = field(default_factory=perf_counter)
    first_byte: float | None = None
    dns: float = 0.0  # of the hops before
    connect: float = 0.0
    tls: float = 0.0

    def sent(self) -> CIMultiDict[str]:
        """The headers of the next request."""
        sent = CIMultiDict(self.headers)
        sent.update(self.private)
        if self.validators is not None and self.validators.url == self.url.href:
            sent.update(self.validators.headers)
        return sent

    def redirected(self, target: Url) -> None:
        """Go on at `target`."""
        if target.origin != self.url.origin:
            self.private = {}
        self.redirects.append(self.url.href)
        self.url = target

    def next_request(self) -> Passage:
        """A fresh passage for a request about to be sent."""
        self.dns += self.way.dns
        self.connect += self.way.connect
        self.tls += self.way.tls
        self.way = Passage()
        self.status, self.expected, self.first_byte, self.received = None, None, None, 0
        return self.way

    def answered(self, response: ClientResponse) -> None:
        """The head of a response has arrived."""
        self.status, self.expected, self.first_byte = response.status, response.content_length, perf_counter()

    def progress(self) -> str:
        """How much of the body there is, as a clause."""
        of = f" of {self.expected}" if self.expected is not None else ""
        return f"{self.received}{of} bytes of the body had arrived"

    def ms(self) -> dict[str, float]:
        """The phases so far, in milliseconds; `first_byte` only if there was one."""
        phases = {
            "dns": self.dns + self.way.dns,
            "connect": self.connect + self.way.connect,
            "total": perf_counter() - self.started,
        }
        if tls := self.tls + self.way.tls:
            phases["tls"] = tls
        if self.first_byte is not None:
            phases["first_byte"] = self.first_byte - self.started
        return {name: round(seconds * 1000, 3) for name, seconds in phases.items()}

    def fetched(self, response: ClientResponse, body: bytes, *, moved: bool = False) -> Fetched:
        """The result, from the last hop's response and its whole body."""
        found = response.headers
        headers = {name: _text(value) for name in KEPT_HEADERS if (value := found.get(name)) is not None}
        return Fetched(
            url=self.url.href,
            status=response.status,
            body=body,
            content_type=headers.get("content-type"),
            content_encoding=headers.get("content-encoding"),
            headers=headers,
            redirects=self.redirects,
            family=self.way.family or 4,
            ms=self.ms(),
            moved=moved,
        )


def _text(value: str) -> str:
    """A header's value as text. The HTTP client leaves bytes that are not UTF-8 in it as lone surrogates."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
