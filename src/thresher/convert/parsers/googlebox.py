"""What stands around the results of a Google search: the knowledge panel, people's questions, related searches; and where
its links lead.
"""

from typing import Any
from urllib.parse import parse_qs

from turbohtml import Element

from thresher.convert.parsers.page import Page, tidy

_FACT = ":/"  # in the data-attrid of a fact: kc:/people/person:born, ss:/webfacts:height
_SITE = "[data-attrid*=visit_official_site] a[href], [data-attrid$=':website'] a[href], a[href][data-attrid*=visit_official_site]"
_LONGEST = 60  # characters of a fact's name
_OTHER = frozenset(("start", "tbm", "udm", "tbs"))  # parameters of links to other pages of the same search


def searched(url: str) -> dict[str, str]:
    """The parameters of a URL, the first of each."""
    query = url.partition("#")[0].partition("?")[2]
    return {name: values[0] for name, values in parse_qs(query).items()}


def destination(page: Page, anchor: Element) -> str | None:
    """Where a link leads away from the search: redirects unwrapped; None for links into it."""
    href = anchor.attr("href") or ""
    target = page.web(href)
    if target is None:
        return None
    path = target.partition("?")[0].partition("#")[0].split("/", 3)
    same = page.url.split("/", 3)[2:3] == path[2:3]
    if same and path[3:] in (["url"], ["goto"]):
        asked = searched(target)
        inner = next((page.web(asked[name]) for name in ("q", "url") if "://" in asked.get(name, "")), None)
        return inner or (target if path[3] == "goto" else None)
    # Links into the search are relative; a result that is a page of the same host is not.
    return None if same and (href.startswith(("/", "?", "#")) or path[3:] == ["search"]) else target


def query_of(page: Page, anchor: Element) -> str | None:
    """What a link searches for, if it leads to another search."""
    target = page.web(anchor.attr("href")) or ""
    if target.partition("?")[0].split("/", 3)[3:] != ["search"]:
        return None
    asked = searched(target)
    return None if _OTHER & asked.keys() else tidy(asked.get("q")) or None


def related(page: Page, last: Element | None, query: str) -> list[dict[str, str]]:
    """Other searches that are offered below the results, of which `last` is the last."""
    anchors = [*page.tree.iter_elements(("a",))]
    below = anchors[anchors.index(last) + 1 :] if last is not None else page.tree.select("#botstuff a, #bres a")
    found = {other.casefold(): other for a in reversed(below) if (other := query_of(page, a))}
    found.pop(query.casefold(), None)
    return [{"query": other} for other in reversed(found.values())]


def questions(page: Page) -> list[dict[str, str]]:
    """People also ask; with the page that answers, where the answer is on the page already."""
    found: dict[str, dict[str, str]] = {}
    for element in page.tree.select("[data-q]"):
        if (question := tidy(element.attr("data-q"))) and question not in found:
            found[question] = {"question": question, **_answer(page, element)}
    return [*found.values()]


def _answer(page: Page, question: Element) -> dict[str, str]:
    for anchor in question.select("a[href]"):
        heading = anchor.select_one("h3")
        if heading is not None and (link := destination(page, anchor)):
            return {"link": link, "title": tidy(heading.text)}
    return {}


def panel(page: Page) -> dict[str, Any] | None:
    """The knowledge panel, None if there is none."""
    heading = page.tree.select_one("[data-attrid=title]")
    title = tidy(heading.text) if heading is not None else ""
    if not title:
        return None
    site = page.tree.select_one(_SITE)
    facts = {
        "type": _text(page, "[data-attrid=subtitle]"),
        "description": _description(page),
        "imageUrl": _image(page),
        "website": destination(page, site) if site is not None else None,
    }
    known = {name: value for name, value in facts.items() if value}
    return {"title": title, **known, "attributes": _attributes(page)}


def _text(page: Page, selector: str) -> str:
    element = page.tree.select_one(selector)
    return tidy(element.text) if element is not None else ""


def _description(page: Page) -> str:
    """Without its hidden heading, and without the link to its source, which comes last."""
    element = page.tree.select_one("[data-attrid=description]")
    if element is None:
        return ""
    for part in element.select("h2, h3, [role=heading]"):
        part.decompose()
    text = tidy(element.text)
    source = element.select("a[href]")
    return text.removesuffix(tidy(source[-1].text)).rstrip() if source else text


def _image(page: Page) -> str | None:
    images = page.tree.select("[data-attrid=image] img, [data-attrid='kc:/common/topic:images'] img, #rhs g-img img")
    sources = (image.attr(name) for image in images for name in ("data-src", "src"))
    return next((target for source in sources if (target := page.web(source))), None)


def _attributes(page: Page) -> dict[str, str]:
    """The facts that are written as a name, a colon and a value. The colon ends a text: it is not one of a title."""
    found: dict[str, str] = {}
    for element in page.tree.select(f'[data-attrid*="{_FACT}"]'):
        name, _, value = tidy(element.text).partition(":")
        first = next((text.strip() for text in element.strings if ":" in text), "")
        if first.endswith(":") and value.strip() and 0 < len(name) <= _LONGEST:
            found.setdefault(name.strip(), value.strip())
    return found
