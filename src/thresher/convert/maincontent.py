"""The main content of a page: the element in which most of its running text is, without what else stands in there.

Chrome goes first: what says by its element, its role or its name that it is no content. Then the running text is weighed,
and from the body on the way leads into the child that has nearly all of it, as long as there is one. What is little
more than links goes last.
"""

import re
from itertools import chain

from turbohtml import Document, Element, Text

_CHROME = (
    "nav,footer,aside,form,button,input,textarea,label,[role=navigation i],[role=complementary i],"
    "[role=contentinfo i],[role=dialog i],[role=search i],[role=banner i]"
)
_NAMES = re.compile(
    r"(?:^|[\s_-])(?:comments?|disqus\w*|shar(?:e|ing)\w*|socials?|related\w*|recommend\w*|recirc\w*|promos?|sidebar|newsletters?|"
    r"subscri\w+|signup|breadcrumbs?|footer|masthead|menu|nav|navbar|navigation|advert\w*|ads?|sponsor\w*|cookies?|popup|"
    r"modal|overlay|widgets?|taboola|outbrain|trending|popular|tags?|pagination|pager|byline|author\w*|bio|toolbar|dateline|"
    r"timestamp|credits?|caption|print|ratings?|login|paywall|banner|hidden|sr-only|skip|disclaimer|copyright|gallery|carousel|"
    r"slider|slideshow|player|embed|follow|read-?next|read-?more|teaser|tools|utility|legal|meta|metadata|hashtags|"
    r"story-?links?|more-?\w*)(?:$|[\s_-])",
    re.IGNORECASE,
)
_FRAMES = frozenset(("html", "body", "article", "main", "p"))  # content, whatever they are called
_INLINE = frozenset(
    ("span", "b", "i", "em", "strong", "font", "u", "mark", "abbr", "q", "cite", "code", "small", "sub", "sup")
)
_BLOCKS = ("p", "pre", "div", "section", "article", "main", "body", "td", "dd", "li", "blockquote")

# Tried on hand-annotated articles; the result changes little around these.
_TOO_MUCH = 0.4  # of the page's text: chrome has less, so what has more is the content under a misleading name
_LEAST = 60  # characters of a paragraph that weighs
_NEARLY_ALL = 0.8  # of the weight
_LINKS = 0.5  # of a block's text: one with more is a list of links
_LIST = 2000  # characters; what is longer is no list of links, whatever is in it


def main_content(document: Document) -> Element | None:
    """The element of the main content, None if the page has no running text. Changes the tree, which must be without what
    no reader sees.
    """
    document.remove(_CHROME)
    body = document.select_one("body")
    if body is None:
        return None
    _remove_named(document, _length(body))
    weights = _weights(body)
    if body not in weights:
        return None
    found = _heaviest(body, weights)
    for block in found.select("ul,ol,div,section,p,h2,h3"):
        length = _length(block)
        if 0 < length < _LIST and _linked(block) > length * _LINKS:
            block.decompose()
    return found


def _remove_named(document: Document, whole: int) -> None:
    for element in document.select("[class],[id]"):
        if element.tag in _FRAMES:
            continue
        names = f"{element.attr('class') or ''} {element.attr('id') or ''}"
        if _NAMES.search(names) and _length(element) < whole * _TOO_MUCH:
            element.decompose()


def _weights(body: Element) -> dict[Element, int]:
    """The characters of running text in each element that has any."""
    weights: dict[Element, int] = {}
    for block in chain((body,), body.iter_elements(_BLOCKS)):
        own = _running(block)
        if own < _LEAST:
            continue
        node: object = block
        while isinstance(node, Element):
            weights[node] = weights.get(node, 0) + own
            node = node.parent
    return weights


def _heaviest(body: Element, weights: dict[Element, int]) -> Element:
    found = body
    while True:
        children = (child for child in found.children if isinstance(child, Element) and child in weights)
        best = max(children, key=lambda child: weights[child], default=None)
        if best is None or best.tag == "p" or weights[best] < weights[found] * _NEARLY_ALL:
            return found
        found = best


def _running(block: Element) -> int:
    """The text of a paragraph outside of links; of any other block, what stands in it without a block of its own."""
    if block.tag in ("p", "pre"):
        return _length(block) - _linked(block)
    inside = (
        child.data if isinstance(child, Text) else child.text
        for child in block.children
        if isinstance(child, Text) or (isinstance(child, Element) and child.tag in _INLINE)
    )
    return len(" ".join("".join(inside).split()))


def _linked(element: Element) -> int:
    return sum(map(_length, element.select("a")))


def _length(element: Element) -> int:
    return len(" ".join(element.text.split()))
