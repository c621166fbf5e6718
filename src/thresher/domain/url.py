"""The one URL parser (WHATWG, by ada), and what politeness needs to know of a URL.

Nothing else in Thresher takes a URL apart. A parsed URL's `href` is what is fetched, shown and stored.
"""

import functools
import hashlib
import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import ada_url

BUCKETS = 1024  # politeness buckets; at most one running shard in each, so at most this many shards run at once
STORE_BUCKETS = 64  # behind them, of shards that ask no host because their pages are stored

_DEFAULT_PORTS = {"http": 80, "https": 443}


class InvalidUrl(ValueError):
    """The text is not an http or https URL; the message says why, in words for the caller."""


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed http(s) URL. `host` is punycode, or an address (IPv6 without brackets); `path` has the query.

    `host` has no trailing dot, for `example.com.` and `example.com` are one host to whoever counts; `href` keeps it.
    """

    href: str
    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """scheme://host[:port], the key of robots.txt and of connection limits."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = _DEFAULT_PORTS[self.scheme] == self.port
        return f"{self.scheme}://{host}" if default else f"{self.scheme}://{host}:{self.port}"


def parse(text: str, base: str | None = None) -> Url:
    """Parse `text`, against `base` if given, as a browser would.

    Raises InvalidUrl for what is no URL, for other schemes, and for a URL with a user name or password: a
    credential in a URL would travel through logs and answers.
    """
    try:
        href = (ada_url.URL(text, base=base) if base else ada_url.URL(text)).href
    except ValueError:
        raise InvalidUrl("not a valid absolute URL" if base is None else "not a valid URL") from None
    scheme, _, rest = href.partition(":")
    if scheme not in _DEFAULT_PORTS:
        raise InvalidUrl(f"the scheme must be http or https, not {scheme[:20]!r}")
    # The serialised form is strict (WHATWG URL, 4.5): //authority, a path that begins with a slash, ?query, #fragment.
    # Taking it apart here costs a third of asking the parser for each part, and a test holds the two ways equal.
    authority, slash, rest = rest[2:].partition("/")
    if "@" in authority:
        raise InvalidUrl("a URL must not contain a user name or password")
    host, colon, digits = authority.rpartition(":")
    if not colon or digits.endswith("]"):
        host, digits = authority, ""
    host = host.removeprefix("[").removesuffix("]").removesuffix(".")
    if not host or host.endswith("."):
        raise InvalidUrl("the URL has no host, or one that ends in an empty label")
    port = int(digits) if digits else _DEFAULT_PORTS[scheme]
    if port == 0:
        raise InvalidUrl("the port must not be 0")
    path, _, query = rest.partition("#")[0].partition("?")
    return Url(href, scheme, host, port, f"{slash}{path}?{query}" if query else slash + path)


def without_credentials(text: str) -> tuple[Url, str, str]:
    """An operator's own http(s) URL, which may have them: the URL without, the user name and the password, decoded.

    Raises InvalidUrl, whose message does not repeat the text.
    """
    try:
        parsed = ada_url.URL(text)
        user, password = unquote(parsed.username), unquote(parsed.password)
        parsed.username = parsed.password = ""
    except ValueError:
        raise InvalidUrl("not a valid absolute URL") from None
    return parse(parsed.href), user, password


def is_address(host: str) -> bool:
    """Whether a parsed host is an IP address literal."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=65_536)
def site(host: str) -> str:
    """The registrable domain of a host; an address, or a name without one, is its own site."""
    if is_address(host):
        return host
    return str(_suffixes()(host).top_domain_under_public_suffix) or host


@functools.cache
def _suffixes() -> Any:
    """The snapshot of the public suffix list in the package; nothing is downloaded.

    Imported here: it takes a fifth of a command's start, and most commands never ask.
    """
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=False)


@functools.lru_cache(maxsize=65_536)
def bucket(host: str) -> int:
    """The politeness bucket of a host, 0 to BUCKETS - 1: the same for every host of a site, on every machine."""
    digest = hashlib.blake2s(site(host).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % BUCKETS
