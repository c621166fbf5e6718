"""Glob patterns over URLs, in the forms that people write: `*.pdf`, `/blog/**`, `https://example.com/*`, `{a,b}`.

A pattern becomes a pattern of whole URLs, and that a regular expression which matches in time linear in the URL for
each pattern: what is matched before a wildcard is never tried again (atomic groups), because the first place at which a
part of the pattern fits leaves the most to what follows.
"""

import functools
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

from ada_url import idna_to_unicode

MAX_CHARACTERS = 10_000  # of a list of patterns with its braces written out: what each link of a page is tried against

# Nothing in them is tried twice: whoever sends a pattern waits in the line of all requests.
_BRACES = re.compile(r"\{([^{},]*+,[^{}]*+)\}")
_TOKEN = re.compile(r"(\*+)|(\?)|\[([!^]?)(\]?[^\]]*+)\]|(.)", re.DOTALL)
_PUNYCODE = re.compile(r"(?<![\w-])xn--[a-z0-9-]+")
_WILD = re.compile(r"[*?\[]")
_ANYWHERE = "*://*/**/"


class TooLong(ValueError):
    """The patterns have more than MAX_CHARACTERS."""


def written_out(patterns: Iterable[str]) -> list[str]:
    """The patterns without `{a,b}`: each with every choice, but the empty one. Raises TooLong."""
    done: dict[str, None] = {}
    left = list(patterns)
    size = sum(map(len, left))
    while left:
        if size > MAX_CHARACTERS:
            raise TooLong
        pattern = left.pop()
        if found := _BRACES.search(pattern):
            start, end = found.span()
            choices = {pattern[:start] + choice + pattern[end:] for choice in found[1].split(",")}
            left += choices
            size += sum(map(len, choices)) - len(pattern)
        elif pattern:
            done[pattern] = None
    return list(done)


@functools.lru_cache(maxsize=128)
def matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether an absolute URL fits any of the patterns, with its query or without; its fragment counts for nothing.

    Upper and lower case are the same, and so are `%C3%A9` and the letter, and the two forms of a host. Raises TooLong.
    """
    wanted = {whole for pattern in written_out(patterns) for whole in _whole(unquote(pattern))}
    fits = re.compile("|".join(map(_expression, sorted(wanted))) or "(?!)", re.IGNORECASE | re.DOTALL).fullmatch

    def fit(url: str) -> bool:
        url = unquote(url.partition("#")[0])
        path, query, _ = url.partition("?")
        return fits(path) is not None or (bool(query) and fits(url) is not None)

    def matches(url: str) -> bool:
        return fit(url) or (("//xn--" in url or ".xn--" in url) and fit(_in_letters(url)))

    return matches


def _in_letters(url: str) -> str:
    """The URL with its host as people write it: `größe.example` for `xn--gre-6ka8i.example`."""
    scheme, slashes, rest = url.partition("//")
    host, slash, path = rest.partition("/")
    return scheme + slashes + _PUNYCODE.sub(lambda label: idna_to_unicode(label[0]), host) + slash + path


def _whole(pattern: str) -> list[str]:
    """What the pattern says of whole URLs: it may begin with a scheme, a host or a slash, or be the end of a path."""
    if pattern.endswith("/"):
        pattern += "**"
    first, slash, _ = pattern.partition("/")
    if pattern.startswith("//"):
        return ["*:" + pattern]
    if pattern.startswith("/"):
        return ["*://*" + pattern]
    if "://" in pattern:
        return [pattern]
    if slash:
        return [("*://" if "." in first or ":" in first else _ANYWHERE) + pattern]
    if _WILD.search(pattern) or "." not in pattern:
        return [_ANYWHERE + pattern]
    # Without any wildcard: an extension, or a file or a host of this name.
    return [f"{_ANYWHERE}*{pattern}"] if pattern[0] == "." else [_ANYWHERE + pattern, f"*://{pattern}/**"]


def _expression(pattern: str) -> str:
    """The regular expression of a pattern of whole URLs. A slash at the end of a URL counts for nothing."""
    runs: list[list[str]] = [[]]  # of segments, with `**` between them
    for segment in pattern.split("/"):
        if segment == "**":
            runs.append([])
        else:
            runs[-1].append(_segment(segment))
    text = "/".join(runs[0])
    if len(runs) == 1:
        return text + "/?"
    for run in filter(None, runs[1:-1]):
        text += rf"/(?>(?:[^/]*+/)*?{'/'.join(run)})"
    return text + (rf"/(?:[^/]*+/)*?{'/'.join(runs[-1])}/?" if runs[-1] else "(?:/.*)?")


def _segment(pattern: str) -> str:
    """A segment of the path as a whole; `**` within it is `*`."""
    chunks = [""]
    for stars, one, negated, members, literal in _TOKEN.findall(pattern):
        if stars:
            chunks.append("")
        else:
            chunks[-1] += re.escape(literal) if literal else "[^/]" if one else _class(bool(negated), members)
    first, *others = chunks
    text = first + "".join(f"(?>[^/]*?{chunk})" for chunk in others[:-1] if chunk)
    text += f"[^/]*{others[-1]}" if others else ""
    return rf"(?>{text}(?=/|\Z))"


def _class(negated: bool, members: str) -> str:
    """`[a-z]` or `[!a-z]`; of a range the wrong way round nothing is a member."""
    parts = []
    while members:
        low, high = members[0], members[2:3] if members[1:2] == "-" else ""
        members = members[3 if high else 1 :]
        if not high:
            parts.append(re.escape(low))
        elif low <= high:
            parts.append(f"{re.escape(low)}-{re.escape(high)}")
    if not parts:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{''.join(parts)}]"
