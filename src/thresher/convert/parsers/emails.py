"""E-mail addresses: of mailto links, in texts, spelled out against harvesters, and hidden by a CDN's script."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from thresher.convert.metadata import json_ld
from thresher.convert.parsers.page import Page

_LOCAL = r"[\w!#$%&'*+/=?^`{|}~-]{1,64}+(?:\.[\w!#$%&'*+/=?^`{|}~-]{1,64}+){0,8}+"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS = re.compile(rf"(?<![\w.+&%-])({_LOCAL})@((?:{_LABEL}\.){{1,8}}[^\W\d_]{{2,24}})(?![\w@-])")

# name [at] host [dot] com, with any brackets; and NAME AT HOST DOT COM in capitals, as nobody writes otherwise. A word for
# the at is enough; the dots may be dots.
_AT = r"\s{0,3}[\[({<]\s{0,3}(?:at|@|ät|arroba|chez)\s{0,3}[\])}>]\s{0,3}"
_DOT = r"(?:\s{0,3}[\[({<]\s{0,3}(?:dot|\.|punkt|point|punto)\s{0,3}[\])}>]\s{0,3}|\.| DOT )"
_SPELLED = re.compile(
    rf"(?<![\w.+-])([\w+-]{{1,64}}+(?:{_DOT}[\w+-]{{1,64}}+){{0,4}}+)(?:(?i:{_AT})| AT )((?:{_LABEL}(?i:{_DOT})){{1,5}}[^\W\d_]{{2,24}})\b"
)
_ANY_DOT = re.compile(_DOT, re.IGNORECASE)

# Names of files (logo@2x.png) that look like addresses.
_FILES = frozenset(("png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "css", "js", "mjs", "html", "php", "pdf"))
_UNSEEN = "script,style,template"
_PROTECTED = "/cdn-cgi/l/email-protection#"


def parse(page: Page) -> dict[str, Any]:
    """{emails: [...]}"""
    found: dict[str, str] = {}
    for local, host in _addresses(page):
        host = host.lower()
        if host.rpartition(".")[2] not in _FILES and len(local) <= 64:
            found.setdefault(f"{local}@{host}".lower(), f"{local}@{host}")
    return {"emails": [*found.values()]}


def _addresses(page: Page) -> Iterator[tuple[str, str]]:
    """Local part and host of each address, those in links first."""
    for element in page.tree.select("a[href], area[href]"):
        href = (element.attr("href") or "").strip()
        if href[:7].lower() == "mailto:":
            yield from _in(unquote(href[7:].replace("&", " ").replace("?", " ").replace("=", " ")))
        elif _PROTECTED in href:
            yield from _in(unhidden(href.partition(_PROTECTED)[2]))
    for element in page.tree.select("[data-cfemail]"):
        yield from _in(unhidden(element.attr("data-cfemail") or ""))
    for value in json_ld(page.tree):
        for text in _emails_of(value):
            yield from _in(text.removeprefix("mailto:"))
    page.tree.remove(_UNSEEN)
    text = page.tree.to_text()
    yield from _in(text)
    for local, host in _SPELLED.findall(text):
        yield _ANY_DOT.sub(".", local), _ANY_DOT.sub(".", host)


def _in(text: str) -> Iterator[tuple[str, str]]:
    yield from _ADDRESS.findall(text)


def _emails_of(value: Any) -> Iterator[str]:
    """The values of every `email` in structured data."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if isinstance(email := one.get("email"), str):
                yield email
            stack += one.values()
        elif isinstance(one, list):
            stack += one


def unhidden(code: str) -> str:
    """What the script of a large CDN would show: hex bytes, each under the first one by exclusive or."""
    try:
        key, *rest = bytes.fromhex(code)
    except ValueError:
        return ""
    return bytes(byte ^ key for byte in rest).decode("utf-8", "replace")
