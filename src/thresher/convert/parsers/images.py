"""Images with their texts and sizes, each with the largest of the candidates that it offers."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from turbohtml import Element

from thresher.convert.links import LAZY
from thresher.convert.parsers.page import Page, tidy

_NEAR = 100  # nodes before an image that may be sources of its picture; honest ones have five, with space between
_SETS = ("srcset", "data-srcset", "data-lazy-srcset")


def parse(page: Page) -> dict[str, Any]:
    """{images: [{src, alt, width, height, largest}]}"""
    found: dict[str, dict[str, Any]] = {}
    for image in page.tree.iter_elements("img"):
        if (one := _image(page, image)) is not None:
            found.setdefault(one["src"], one)
    return {"images": [*found.values()]}


def _image(page: Page, image: Element) -> dict[str, Any] | None:
    sources = (page.web(image.attr(name)) for name in (*LAZY, "src"))
    source = next(filter(None, sources), None)
    largest = _largest(page, image) or source
    if largest is None:
        return None
    alt = image.attr("alt")
    return {
        "src": source or largest,
        "alt": None if alt is None else tidy(alt),
        "width": _pixels(image.attr("width")),
        "height": _pixels(image.attr("height")),
        "largest": largest,
    }


def _largest(page: Page, image: Element) -> str | None:
    """The candidate with the highest descriptor, of the image and of the picture that it is in."""
    elements = [image]
    if isinstance(image.parent, Element) and image.parent.tag == "picture":
        before = reversed([*islice(image.previous_siblings, _NEAR)])
        elements += [one for one in before if isinstance(one, Element) and one.tag == "source"]
    offers = [
        (size, url)
        for element in elements
        for name in _SETS
        for reference, size in candidates(element.attr(name) or "")
        if (url := page.web(reference))
    ]
    return max(offers, key=lambda offer: offer[0])[1] if offers else None


def candidates(srcset: str) -> Iterator[tuple[str, float]]:
    """The URLs of a srcset with their widths, or densities, as numbers: within one image all are of one kind."""
    words = iter(srcset.split())
    word = next(words, "")
    while word:
        url, size = word.strip(","), 1.0
        alone, word = word.endswith(","), ""
        for word in () if alone else words:  # descriptors, up to a comma
            descriptor, comma, rest = word.partition(",")
            size = _size(descriptor) or size
            if comma:
                word = rest
                break
            word = ""
        if url:
            yield url, size
        word = word or next(words, "")


def _size(descriptor: str) -> float | None:
    number, unit = descriptor[:-1], descriptor[-1:].lower()
    try:
        return float(number) if unit in ("w", "x") and len(number) < 10 else None
    except ValueError:
        return None


def _pixels(value: str | None) -> int | None:
    number = (value or "").strip().lower().removesuffix("px").strip()
    return int(number) if number.isascii() and number.isdigit() and len(number) < 7 else None
