"""robots.txt, by RFC 9309: what a site allows a crawler to fetch. Pure: bytes in, decisions out.

Where real files are looser than the RFC's grammar and the intent is plain (a missing colon, a version behind an
agent's name), they are read as meant. Knows nothing of how a file is fetched or kept.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

MAX_BYTES = 500 * 1024  # RFC 9309 section 2.5: a parser reads at least this much; what follows is ignored

_BOM = b"\xef\xbb\xbf"
_AGENT_NAMES = frozenset({b"user-agent", b"useragent", b"user agent"})
# The RFC allows a crawler no digits in its token, but crawlers with digits exist: "bot1" must not answer for "bot2".
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Left as they are: unreserved characters, and reserved ones (RFC 3986) but for * and $, which are special in rules,
# and ', which URL parsers encode in one place and not in another.
_RESPELL = re.compile(rb"%([0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~:/?#\[\]@!&()+,;=]")


class Rule(NamedTuple):
    """One allow or disallow line. `pattern` is normalised; `*` and a final `$` are special (RFC 9309 section 2.2.3).

    A tuple, which is made in a quarter of the time: sites have thousands.
    """

    allow: bool
    pattern: str

    def matches(self, path: str) -> bool:
        """Whether a normalised path begins with the pattern. Time is bounded by the lengths of both: no backtracking."""
        pattern = self.pattern
        anchored = pattern.endswith("$")
        star = pattern.find("*")
        if star < 0:
            return path == pattern[:-1] if anchored else path.startswith(pattern)
        if not path.startswith(pattern[:star]):
            return False
        first, *others = (pattern[:-1] if anchored else pattern).split("*")
        at = len(first)
        # Leftmost matches of the middle parts leave the most room for what follows.
        for part in others[:-1]:
            found = path.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        last = others[-1]
        return path.endswith(last) and len(path) - len(last) >= at if anchored else path.find(last, at) >= 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What applies to one crawler on one site. `crawl_delay` in seconds, where the site states one.

    `rules` stand in the order in which they decide: the longest first, allow before disallow; `of` sorts them.
    """

    rules: tuple[Rule, ...] = ()
    crawl_delay: float | None = None

    @classmethod
    def of(cls, rules: Iterable[Rule], crawl_delay: float | None = None) -> Self:
        """Rules in any order; of two that differ only in what they say, allow stays (RFC 9309 section 2.2.2)."""
        said: dict[str, bool] = {}
        for rule in rules:
            said[rule.pattern] = rule.allow or said.get(rule.pattern, False)
        unique = [Rule(allow, pattern) for pattern, allow in said.items()]
        return cls(tuple(sorted(unique, key=lambda rule: (-len(rule.pattern), not rule.allow))), crawl_delay)

    def allows(self, path: str) -> bool:
        """Whether a path with its query may be fetched."""
        return (rule := self.deciding(path)) is None or rule.allow

    def deciding(self, path: str) -> Rule | None:
        """The rule that decides about a path with its query: the longest that matches, allow wins a tie. None: there is none."""
        if path == "/robots.txt":
            return None
        path = normalise(path)
        return next((rule for rule in self.rules if rule.matches(path)), None)

    def to_json(self) -> dict[str, Any]:
        return {"rules": [[rule.allow, rule.pattern] for rule in self.rules], "crawl_delay": self.crawl_delay}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(tuple(map(Rule._make, value["rules"])), value.get("crawl_delay"))


@dataclass(slots=True)
class _Group:
    agents: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)


def parse(data: bytes, agent: str) -> Rules:
    """The rules for the crawler with this user agent, whose product token counts. Never raises.

    All groups that name it are merged; without one, those for `*` apply; without those, everything is allowed
    (RFC 9309 section 2.2.1).
    """
    groups = _groups(_lines(data))
    token = product_token(agent)
    mine = [group for group in groups if token and token in group.agents]
    mine = mine or [group for group in groups if "*" in group.agents]
    delays = [delay for group in mine for delay in group.delays]
    return Rules.of((rule for group in mine for rule in group.rules), max(delays, default=None))


def product_token(agent: str) -> str:
    """The name that robots.txt knows a crawler by, in lower case: the user agent up to its version, or "" without one."""
    match = _TOKEN.match(agent.strip())
    return match[0].lower() if match else ""


def normalise(path: str) -> str:
    """A URL's path and query in the one spelling that is compared with rules. ASCII; idempotent.

    RFC 9309 section 2.2.2: octets outside of ASCII are percent-encoded, escapes of unreserved characters undone.
    Reserved characters and their escapes stay apart (`/` and `%2F` lead to different pages), although a row of the
    RFC's table encodes them in a query: no crawler does, and wildcards would then miss what they are written for.
    """
    return _respell(path.encode("utf-8", "surrogatepass"))


def _pattern(value: bytes) -> str:
    anchor = b"$" if value.endswith(b"$") else b""
    parts = value.removesuffix(anchor).split(b"*")
    return "*".join(_respell(part) for part in parts) + anchor.decode("ascii")


def _respell(octets: bytes) -> str:
    return _RESPELL.sub(_respell_one, octets).decode("ascii")


def _respell_one(match: re.Match[bytes]) -> bytes:
    byte = int(match[1], 16) if match[1] else match[0][0]
    return bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte


def _lines(data: bytes) -> list[bytes]:
    # bytes.splitlines knows the RFC's three line ends and, unlike str's, no others.
    lines = _without_mark(data[:MAX_BYTES]).splitlines()
    cut_inside = len(data) > MAX_BYTES and not {data[MAX_BYTES - 1], data[MAX_BYTES]} & set(b"\r\n")
    # Half a rule would forbid or allow more than the whole one.
    return lines[:-1] if cut_inside else lines


def _without_mark(data: bytes) -> bytes:
    """Without the byte order mark, of which some editors leave only a part."""
    part = next((n for n, byte in enumerate(_BOM) if data[n : n + 1] != bytes((byte,))), len(_BOM))
    return data[part:]


def _groups(lines: Iterable[bytes]) -> list[_Group]:
    groups: list[_Group] = []
    naming = False  # between the user-agent lines of one group: only a rule ends it, other records must not (2.2.4)
    for line in lines:
        key, value = _field(line)
        if key in _AGENT_NAMES:
            if not naming:
                groups.append(_Group())
                naming = True
            groups[-1].agents.append(_agent(value))
        elif key in (b"allow", b"disallow") and groups:
            naming = False
            if value:  # an empty disallow forbids nothing, an empty allow says nothing
                groups[-1].rules.append(Rule(key == b"allow", _pattern(value)))
        elif key == b"crawl-delay" and groups:
            groups[-1].delays += _seconds(value)
    return groups


def _field(line: bytes) -> tuple[bytes, bytes]:
    text = line.partition(b"#")[0].strip()
    key, colon, value = text.partition(b":")
    if not colon:
        words = text.split()
        key, value = words if len(words) == 2 else (b"", b"")
    return key.rstrip().lower(), value.strip()


def _agent(value: bytes) -> str:
    return "*" if value.split()[:1] == [b"*"] else product_token(value.decode("latin-1"))


def _seconds(value: bytes) -> list[float]:
    try:
        seconds = float(value)
    except ValueError:
        return []
    return [seconds] if 0 <= seconds < 86_400 else []
