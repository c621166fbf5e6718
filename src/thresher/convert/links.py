"""The links and images of a page, made absolute; and the list of links: http or https, unique, in document order.

URLs are joined by ada, like everywhere in Thresher; plain ones, which joining would not change, skip the call
(it costs 4 us, and a page has 130). A property test holds the two ways equal.
"""

import re
from collections.abc import Iterable

import ada_url
from turbohtml import Document

# Characters that the WHATWG URL parser leaves alone in path, query and fragment.
_SAFE = r"[A-Za-z0-9_~/.=&?%+,:@!$()*;#-]"
# A lower-case host of letters whose last label is no number: nothing to map, nothing to read as an address.
_ABSOLUTE = re.compile(rf"https?://(?:[a-z0-9-]+\.)+[a-z]{{2,}}/{_SAFE}*")
_ROOTED = re.compile(rf"/(?!/){_SAFE}*")
# Schemes that run code or carry content: worthless in a markdown link, and dangerous when it is rendered.
_ACTIVE = ("javascript:", "vbscript:", "data:")
# The attributes in which lazy-loading scripts keep an image's address.
LAZY = ("data-src", "data-original", "data-lazy-src")


class Resolver:
    """Resolves references against a base URL."""

    def __init__(self, base: str) -> None:
        self.base = base
        try:
            root = ada_url.join_url(base, "/")
        except ValueError:
            root = ""
        self._origin = root[:-1] if root.startswith(("http://", "https://")) else None

    def resolve(self, href: str) -> str | None:
        """The absolute URL of `href`, of any scheme; None if it is not a valid reference."""
        # Dot segments, also percent-encoded ones, and IDNA labels are left to the parser.
        if "/." not in href and "/%2" not in href:
            if href[:1] == "/":
                if self._origin is not None and _ROOTED.fullmatch(href):
                    return self._origin + href
            elif _ABSOLUTE.fullmatch(href) and "xn--" not in href:
                return href
        try:
            return ada_url.join_url(self.base, href)
        except ValueError:
            return None


def settle(document: Document, resolver: Resolver, url: str) -> list[str]:
    """Make the links and images of the page absolute in place, and list the links.

    The list has the targets of `a` and `area` elements, without those into the page itself (`url`). References into
    the page stay as they are in the tree. An href that would run script or carry data is taken off its element.
    """
    page = url.partition("#")[0]
    seen: dict[str, str | None] = {}
    for element in document.iter_elements(("a", "area")):
        href = element.attr("href")
        if not href or href[0] == "#":
            continue
        if href not in seen:
            seen[href] = resolver.resolve(href)
        target = seen[href]
        if target is None:
            continue
        if target.startswith(_ACTIVE):
            del element.attrs["href"]
        elif target != href:
            element.attrs["href"] = target
    _settle_images(document, resolver)
    return list(dict.fromkeys(_wanted(seen.values(), page)))


def _settle_images(document: Document, resolver: Resolver) -> None:
    """Images inlined as data are mostly placeholders: the real address takes their place, or they go."""
    for image in list(document.iter_elements("img")):
        source = image.attr("src") or ""
        if not source or source[:5].lower() == "data:":
            source = next((value for name in LAZY if (value := image.attr(name))), "")
        target = resolver.resolve(source) if source else None
        if target is None or target.startswith(_ACTIVE):
            image.decompose()
        elif target != image.attr("src"):
            image.attrs["src"] = target


def _wanted(targets: Iterable[str | None], page: str) -> Iterable[str]:
    for target in targets:
        if target is None or not target.startswith(("http://", "https://")):
            continue
        if "#" in target and target.partition("#")[0] == page:
            continue
        yield target
