"""JSON as a document: indented for readers, with every number, key and string exactly as it was written.

Works on the text, token by token, because values read and written again change: 1.10, 1e400 and keys that come twice.
"""

import json
import re
from dataclasses import replace
from typing import Any

from thresher.convert import feedjson, markup
from thresher.convert.html import Page

_INDENTED = 2**20  # characters; longer texts are for programs and stay as they are
_DEEP = 64  # levels; indenting deeper ones makes lines of nothing but spaces
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]+')
_FEED = "https://jsonfeed.org/version/"


def convert(text: str, url: str) -> Page:
    """Convert JSON `text` found at `url`: a JSON Feed as a feed, one document indented, all else as it is, in a fence."""
    try:
        # Numbers are left as text: they need not fit into anything.
        value: Any = json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except (ValueError, RecursionError):  # several documents, a broken one, one nested deeper than anything sane
        return Page(None, markup.fenced(text, "json"), text, [], {})
    if isinstance(value, dict) and str(value.get("version", "")).startswith(_FEED):
        return replace(feedjson.convert(value, url), is_json=True)
    return Page(None, markup.fenced(indented(text) or text, "json"), text, [], {}, is_json=True)


def indented(text: str) -> str | None:
    """Valid JSON `text` with a line for every member; None if it is too long or too deep for that to help."""
    if len(text) > _INDENTED:
        return None
    out: list[str] = []
    depth, previous = 0, ""
    for piece in _TOKEN.findall(text):
        if piece in "}]":
            depth -= 1
            if previous not in ("{", "["):
                out.append("\n" + "  " * depth)
        elif previous in ("{", "[", ","):
            out.append("\n" + "  " * depth)
        if piece in "{[":
            depth += 1
            if depth > _DEEP:
                return None
        out.append(": " if piece == ":" else piece)
        previous = piece
    return "".join(out)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
