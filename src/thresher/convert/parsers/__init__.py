"""The built-in parsers by their ids: each from the tree of an HTML page to a JSON object, as domain/parsers.py describes it.
Those of packages are plugged.py's.

Run in the converter child, so that a page harms nothing but its own item.
"""

from collections.abc import Callable
from typing import Any

import orjson
import turbohtml

from thresher.convert.html import base_of
from thresher.convert.laps import Laps
from thresher.convert.links import Resolver
from thresher.convert.parsers import (
    article,
    calendars,
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


def run(name: str, html: str, url: str, laps: Laps) -> bytes | Failure:
    """What the parser of this id or alias makes of the page found at `url`, as JSON, or why it makes nothing."""
    known = parsers.built_in(name)
    html = html.replace("\0", "")
    try:
        made = PARSERS[known.id](_page(html, url)) if known else plugged.run(name, html, url)
        return orjson.dumps(made)
    except ItemFailed as failed:
        return failed.failure
    except MemoryError:
        raise
    except Exception as error:  # the page's own fault or ours: its conversion is good all the same
        detail = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()
        return Failure(FailureCode.PARSER_FAILED, detail[:500])
    finally:
        laps.lap("parser")


def _page(html: str, url: str) -> Page:
    # A tree of its own: the one of the conversion has lost what no reader sees.
    tree = turbohtml.parse(html, positions=False, scripting=True)
    return Page(tree, url, Resolver(base_of(tree, url)))
