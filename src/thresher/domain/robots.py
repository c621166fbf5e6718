"""robots.txt, by RFC 9309: what a site allows a crawler to fetch. Pure: text in, decisions out."""

import re
from dataclasses import dataclass, field
from typing import Any, Self

MAX_BYTES = 500 * 1024  # RFC 9309 section 2.5: a parser reads at least this much; what follows is ignored

_LINE = re.compile(r"\s*([^:#]*?)\s*:\s*([^#]*)")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_TOKEN = re.compile(r"[A-Za-z_-]+")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class Rule:
    """One allow or disallow line. `pattern` is percent-normalised; `*` and a final `$` are special."""

    allow: bool
    pattern: str

    def matches(self, path: str) -> bool:
        anchored = self.pattern.endswith("$")
        parts = (self.pattern[:-1] if anchored else self.pattern).split("*")
        if not path.startswith(parts[0]):
            return False
        at = len(parts[0])
        if len(parts) == 1:
            return not anchored or at == len(path)
        # Leftmost matches of the middle parts leave the most room, so no backtracking is needed.
        for part in parts[1:-1]:
            found = path.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        last = parts[-1]
        return path.endswith(last) and len(path) - len(last) >= at if anchored else path.find(last, at) >= 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What applies to one crawler on one site. `crawl_delay` in seconds, where the site states one."""

    rules: tuple[Rule, ...] = ()
    crawl_delay: float | None = None

    def allows(self, path: str) -> bool:
        """Whether a path with its query may be fetched: the longest matching rule decides, allow wins a tie."""
        if path == "/robots.txt":
            return True
        path = normalise(path)
        best = max(((len(rule.pattern), rule.allow) for rule in self.rules if rule.matches(path)), default=(0, True))
        return best[1]

    def to_json(self) -> dict[str, Any]:
        return {"rules": [[rule.allow, rule.pattern] for rule in self.rules], "crawl_delay": self.crawl_delay}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(tuple(Rule(bool(a), str(p)) for a, p in value["rules"]), value.get("crawl_delay"))


@dataclass(slots=True)
class _Group:
    agents: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    crawl_delay: float | None = None


def parse(data: bytes, agent: str) -> Rules:
    """The rules for the crawler with this product token (the user agent up to the first `/` or space).

    All groups that name it are merged; without one, those for `*` apply; without those, everything is allowed.
    """
    groups = _groups(data[:MAX_BYTES].decode("utf-8", "replace").removeprefix("\ufeff"))
    token = product_token(agent)
    mine = [group for group in groups if token in group.agents] or [group for group in groups if "*" in group.agents]
    delays = [group.crawl_delay for group in mine if group.crawl_delay is not None]
    return Rules(tuple(rule for group in mine for rule in group.rules), max(delays, default=None))


def product_token(agent: str) -> str:
    """The token that robots.txt knows a crawler by: letters, `_` and `-` (RFC 9309 section 2.2.1), in lower case."""
    match = _TOKEN.match(agent.strip())
    return match[0].lower() if match else ""


def normalise(path: str) -> str:
    """A path in the one spelling that rules and URLs are compared in (RFC 9309 section 2.2.2).

    Octets outside of ASCII are percent-encoded, escapes of unreserved characters are undone, all others upper-cased.
    """
    encoded = "".join(char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode()) for char in path)
    return _ESCAPE.sub(_unescape, encoded)


def _unescape(match: re.Match[str]) -> str:
    byte = int(match[0][1:], 16)
    return chr(byte) if byte in _UNRESERVED else match[0].upper()


def _groups(text: str) -> list[_Group]:
    groups: list[_Group] = []
    naming = False  # between user-agent lines of one group; a rule ends the naming
    for line in re.split(r"\r\n|\r|\n", text):
        match = _LINE.match(line)
        if match is None:
            continue
        key, value = match[1].lower(), match[2].strip()
        if key in ("user-agent", "useragent", "user agent"):
            if not naming:
                groups.append(_Group())
                naming = True
            groups[-1].agents.append("*" if value == "*" else product_token(value))
        elif key in ("allow", "disallow") and groups:
            naming = False
            if value:  # an empty disallow forbids nothing, an empty allow says nothing
                groups[-1].rules.append(Rule(key == "allow", normalise(value)))
        elif key == "crawl-delay" and groups:
            naming = False
            groups[-1].crawl_delay = _seconds(value)
    return groups


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
