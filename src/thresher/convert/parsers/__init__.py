"""The parsers: the built-in ones by their ids, each from the tree of an HTML page to a JSON object as domain/parsers.py describes
it. Those of packages are plugged.py's, those that callers declare declared.py's.

Run in the converter child, so that a page harms nothing but its own item.
"""

from collections.abc import Callable
from typing import Any

import orjson
import turbohtml

from thresher.convert.document import How
from thresher.convert.html import base_of
from thresher.convert.laps import Laps
from thresher.convert.links import Resolver
from thresher.convert.parsers import (
    article,
    calendars,
    declared,
    emails,
    google,
    images,
    links,
    metadata,
    plugged,
    product,
    socials,
    tables,
)
from thresher.convert.parsers.page import Page
from thresher.domain import parsers
from thresher.domain.failure import Failure, FailureCode, ItemFailed

NOT_HTML = Failure(FailureCode.PARSER_NO_MATCH, "The parser reads HTML pages, and this is none.")

PARSERS: dict[str, Callable[[Page], dict[str, Any]]] = {
    "@thresher/article": article.parse,
    "@thresher/metadata": metadata.parse,
    "@thresher/product": product.parse,
    "@thresher/tables": tables.parse,
    "@thresher/links": links.parse,
    "@thresher/emails": emails.parse,
    "@thresher/socials": socials.parse,
    "@thresher/calendars": calendars.parse,
    "@thresher/images": images.parse,
    "@thresher/google-search": google.parse,
}


def run(how: How, html: str, url: str, laps: Laps) -> tuple[bytes | Failure, list[dict[str, Any]]]:
    """What the parser that `how` asks for makes of the page found at `url`, as JSON, or why it makes nothing; and what each

    field of a declared one matched.
    """
    matches: list[dict[str, Any]] = []
    try:
        return orjson.dumps(_made(how, html.replace("\0", ""), url, matches)), matches
    except ItemFailed as failed:
        return failed.failure, matches
    except MemoryError:
        raise
    except Exception as error:  # the page's own fault or ours: its conversion is good all the same
        detail = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()
        return Failure(FailureCode.PARSER_FAILED, detail[:500]), matches
    finally:
        laps.lap("parser")


def _made(how: How, html: str, url: str, matches: list[dict[str, Any]]) -> Any:
    if how.definition:
        return declared.read(how.definition, _page(html, url), matches)
    known = parsers.built_in(how.parser or "")
    return PARSERS[known.id](_page(html, url)) if known else plugged.run(how.parser or "", html, url)


def _page(html: str, url: str) -> Page:
    # A tree of its own: the one of the conversion has lost what no reader sees.
    tree = turbohtml.parse(html, positions=False, scripting=True)
    return Page(tree, url, Resolver(base_of(tree, url)))
