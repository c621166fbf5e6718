"""What a parser is given, and the small questions that several of them ask of a page."""

from collections.abc import Iterator
from dataclasses import dataclass

from turbohtml import Document, Element

from thresher.convert.links import Resolver
from thresher.domain.failure import FailureCode, ItemFailed

_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Page:
    """The whole tree of an HTML page, where it was found, and how its references resolve."""

    tree: Document
    url: str
    resolver: Resolver

    def web(self, reference: str | None) -> str | None:
        """The absolute URL of a reference, if it is one of http or https."""
        target = self.resolver.resolve(reference) if reference and reference.strip() else None
        return target if target and target.startswith(_WEB) else None

    def anchors(self) -> Iterator[tuple[Element, str]]:
        """Links with their absolute targets, of any scheme."""
        for element in self.tree.iter_elements(("a", "area")):
            href = element.attr("href")
            if href and (target := self.resolver.resolve(href)):
                yield element, target


def tidy(text: str | None) -> str:
    """Without white space but single spaces."""
    return " ".join(text.split()) if text else ""


def name_of(element: Element) -> str:
    """What a reader sees of a link, or what it is called where there is nothing but a picture."""
    if text := tidy(element.text):
        return text
    names = [element.attr("aria-label"), element.attr("title"), element.attr("alt")]
    if (image := element.select_one("img[alt]")) is not None:
        names.append(image.attr("alt"))
    return next(filter(None, map(tidy, names)), "")


def nothing(what: str) -> ItemFailed:
    """The failure of a page that does not have what a parser is for."""
    return ItemFailed(FailureCode.PARSER_NO_MATCH, f"The page has no {what}.")
