"""Result pages of Google's web search, with scripts and without.

Class names there are generated and change by the week, so nothing relies on one. A result is a link around a heading;
its block is all around that link up to where the next result's begins. What stands beside the results is read
first and taken off the tree, which so holds less and less to mistake.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from turbohtml import Element

from thresher.convert.parsers import googlebox
from thresher.convert.parsers.googlebox import destination, searched
from thresher.convert.parsers.page import Page, nothing, tidy

_GOOGLE = re.compile(r"(?:[\w-]+\.)*google(?:\.com?)?\.[a-z]{2,3}")
_WHOLE = "#rso, #search, #res, #topstuff, #botstuff"  # where results, or the word that there are none, stand
_BOUNDS = frozenset(("rso", "search", "res", "main", "center_col", "rcnt", "cnt"))  # ids that hold several results
# Advertisements, the knowledge panel, questions, carousels, and the frame of the page.
_BESIDE = (
    "script, style, noscript, template, #tads, #tadsb, #bottomads, #tvcap, #atvcap, [data-text-ad], #rhs, [data-initq], "
    "[data-q], g-scrolling-carousel, [role=complementary], [role=navigation], [role=menu], form, header, footer, #foot"
)
_TITLE = "[role=heading], [style*=-webkit-line-clamp]"  # of a redirect without an h3: the barest of the variants
_TEXT = re.compile(r"\w")
_LABEL = re.compile(r"\s*[^:]{1,40}:\s")
_TYPES = {"isch": "images", "nws": "news", "vid": "videos", "shop": "shopping", "bks": "books"}
_MOST = 30  # sitelinks; Google shows ten


def parse(page: Page) -> dict[str, Any]:
    """What a search found. Raises ItemFailed(parser_no_match) for anything but a page of results, a consent page or a captcha among it."""
    parameters = _parameters(page)
    if "q" not in parameters or not _is_google(page):
        raise nothing("results of a Google search")
    panel, questions = googlebox.panel(page), googlebox.questions(page)
    page.tree.remove(_BESIDE)
    headings = [*_headings(page)]
    related = googlebox.related(page, headings[-1][0] if headings else None, parameters["q"])
    organic = _organic(page, headings)
    if not organic and not _says_that_there_is_nothing(page):
        raise nothing("results of a Google search")
    return {
        "searchParameters": parameters,
        **({"knowledgeGraph": panel} if panel else {}),
        "organic": organic,
        "peopleAlsoAsk": questions,
        "relatedSearches": related,
    }


def _parameters(page: Page) -> dict[str, str]:
    asked = searched(page.url)
    box = page.tree.select_one("form [name=q]")
    query = tidy(asked.get("q")) or (tidy(box.attr("value") or box.text) if box is not None else "")
    kind = _TYPES.get(asked.get("tbm", ""), "search")
    chosen = {name: asked[name] for name in ("gl", "hl") if asked.get(name)}
    return {"type": kind, "engine": "google", **({"q": query} if query else {}), **chosen}


def _is_google(page: Page) -> bool:
    """By its address, or by its structure: result pages are also kept and served by others."""
    host = page.url.split("/")[2].partition(":")[0] if page.url.count("/") > 1 else ""
    return bool(_GOOGLE.fullmatch(host)) or page.tree.select_one("#rso") is not None


def _says_that_there_is_nothing(page: Page) -> bool:
    """A page of no results links to nothing outside; one that does is of a structure that is not known here."""
    whole = page.tree.select(_WHOLE)
    return bool(whole) and not any(destination(page, a) for part in whole for a in part.select("a[href]"))


def _headings(page: Page) -> Iterator[tuple[Element, str, str]]:
    """The links to results, with their targets and titles."""
    for anchor in page.tree.iter_elements(("a",)):
        title = anchor.select_one("h3")
        if title is None and "/url?" in (anchor.attr("href") or ""):
            title = anchor.select_one(_TITLE)
        if title is not None and (link := destination(page, anchor)) and (name := tidy(title.text)):
            yield anchor, link, name


def _organic(page: Page, headings: list[tuple[Element, str, str]]) -> list[dict[str, Any]]:
    crowd = Counter(above for anchor, _, _ in headings for above in anchor.ancestors)
    blocks = [_block(anchor, crowd) for anchor, _, _ in headings]
    found: list[dict[str, Any]] = []
    for (anchor, link, title), block in zip(headings, blocks, strict=True):
        parts = [*_parts(block, anchor)]
        sitelinks = [one for part in parts for one in _sitelinks(page, part) if one["link"] != link][:_MOST]
        facts = {"snippet": _snippet(parts), "sitelinks": sitelinks}
        known = {name: value for name, value in facts.items() if value}
        found.append({"title": title, "link": link, "position": len(found) + 1, **known})
    return found


def _block(anchor: Element, crowd: Counter[Any]) -> Element:
    """All around a link that is of no other result."""
    block = anchor
    for above in anchor.ancestors:
        if not isinstance(above, Element) or above.tag == "body" or crowd[above] > 1 or above.attr("id") in _BOUNDS:
            break
        block = above
    return block


def _parts(block: Element, anchor: Element) -> Iterator[Element]:
    """What is in a block beside its link, each part whole. The repeated address is left out."""
    way = {anchor, *anchor.ancestors}
    todo = [block]
    while todo:
        inner = [child for child in todo.pop().children if isinstance(child, Element) and child != anchor]
        yield from (child for child in inner if child not in way and child.select_one("cite") is None)
        todo += [child for child in inner if child in way]


def _sitelinks(page: Page, part: Element) -> Iterator[dict[str, str]]:
    """The links in a part that stand in rows or headings of nothing but links. They are taken off the tree."""
    todo = [part]
    while todo:
        element = todo.pop()
        anchors = [element] if element.tag == "a" else element.select("a[href]")
        links = [(tidy(a.text), target) for a in anchors if (target := destination(page, a))]
        if not links or _LABEL.match(element.text):  # of a fact: Born: New York
            continue
        rest = element.text
        for a in anchors:
            rest = rest.replace(a.text, "", 1)
        if _TEXT.search(rest):
            todo += [child for child in reversed([*element.children]) if isinstance(child, Element)]
            continue
        yield from ({"title": title, "link": target} for title, target in links if title)
        element.clear()


def _snippet(parts: list[Element]) -> str:
    """The first cell of the grid that has text, else the longest part that is no table of further places."""
    plain = (part for part in parts if not part.matches("table, :has(table, h3)"))
    texts = [(part.attr("data-sncf") is not None, text) for part in plain if (text := tidy(part.text))]
    in_grid = next((text for is_cell, text in texts if is_cell), "")
    return in_grid or max((text for _, text in texts), key=len, default="")
