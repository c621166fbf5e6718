"""What is known of a batch before there is one: what it asks of which hosts, and which of its items will fail. Pure.

Only what is certain is told: what DNS, a server or an unknown robots.txt would say is nobody's guess.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from thresher.domain import url
from thresher.domain.address import can_exist
from thresher.domain.choices import RobotsMode
from thresher.domain.failure import FailureCode
from thresher.domain.robots import Rules

MOST_COMPARISONS = 1_000_000  # of a path with a rule: about a second. Sites beyond that count as unknown

Refusal = Callable[[str, int], str | None]  # why a host is not dialled at a port, or None


@dataclass(frozen=True, slots=True)
class Failing:
    """An item, by its position, that will fail, and why."""

    position: int
    code: FailureCode
    reason: str


@dataclass(slots=True)
class Site:
    """One origin: for each request for a page of it (path, query and fragment; how it is asked for) the positions of its items."""

    origin: str
    host: str
    port: int
    pages: dict[tuple[str, Hashable], list[int]] = field(default_factory=dict)

    @property
    def items(self) -> int:
        return sum(map(len, self.pages.values()))


@dataclass(slots=True)
class HostLoad:
    """What a batch asks of a host: `urls` is how many requests for its pages there will be, each made once for all that ask alike.

    `crawl_delay` is in seconds, as its robots.txt states it; `robots_known`: that of every one of its origins is.
    """

    host: str
    items: int = 0
    urls: int = 0
    crawl_delay: float | None = None
    robots_known: bool = True


@dataclass(slots=True)
class Forecast:
    """What is known of all of it. `files` are different ones. The counts of `robots` are of items that nothing else keeps from being fetched."""

    hosts: dict[str, HostLoad] = field(default_factory=dict)
    failing: list[Failing] = field(default_factory=list)
    unique_urls: int = 0
    files: int = 0
    allowed: int = 0
    disallowed: int = 0
    unknown: int = 0

    def add_files(self, files: Iterable[tuple[int, UUID, int]], most_bytes: int) -> None:
        """Items that are files: position, id, size. One that is larger than what is converted will fail."""
        seen = set()
        for position, file, size in files:
            seen.add(file)
            if size > most_bytes:
                reason = f"{size} bytes; the limit of what is converted is {most_bytes} (THRESHER_DOCUMENT_MAX_BYTES)"
                self.failing.append(Failing(position, FailureCode.TOO_LARGE, reason))
        self.files = len(seen)


@dataclass(frozen=True, slots=True)
class Known:
    """What the cluster knows: the rules of origins, as they are stored, and why items of a host will fail for the pause that

    it has asked for. `read` is what reads rules: those of one origin at a time, for all of them are many objects.
    """

    rules: Mapping[str, str]
    read: Callable[[str], Rules]
    hopeless: Mapping[str, str]


def sites_of(items: Iterable[tuple[int, str, Hashable]]) -> list[Site]:
    """The sites of items, given by position, URL (a valid one), and what is equal in items that ask for a page alike.

    Those whose URLs are equal as well, as a browser reads them, are one request.
    """
    sites: dict[str, Site] = {}
    for position, ref, request in items:
        parsed = url.parse(ref)
        site = sites.get(parsed.origin)
        if site is None:
            site = sites[parsed.origin] = Site(parsed.origin, parsed.host, parsed.port)
        _, mark, fragment = parsed.href.partition("#")
        site.pages.setdefault((parsed.path + mark + fragment, request), []).append(position)
    return list(sites.values())


def foresee(sites: Iterable[Site], mode: RobotsMode, known: Known, refusal: Refusal) -> Forecast:
    """Judge every page. The sites whose rules are compared soonest come first, should there be too many."""
    told, left = Forecast(), MOST_COMPARISONS
    rules = known.rules if mode is not RobotsMode.IGNORE else {}
    for site in sorted(sites, key=lambda one: len(one.pages) * len(rules.get(one.origin, ""))):
        told.unique_urls += len({page for page, _ in site.pages})
        host = told.hosts.setdefault(site.host, HostLoad(site.host))
        host.items += site.items
        if failure := _unreachable(site, known, refusal):
            _fail(told, site.pages.values(), *failure)
        elif site.origin in rules and left > 0:
            found = known.read(rules[site.origin])
            left -= len(site.pages) * len(found.rules)
            _ask(told, host, site, found, mode, decide=left >= 0)
        else:
            _leave_unknown(told, host, site, mode)
    return told


def _unreachable(site: Site, known: Known, refusal: Refusal) -> tuple[FailureCode, str] | None:
    """Why no page of a site will be asked for."""
    if not can_exist(site.host):
        return FailureCode.DNS_NOT_FOUND, "no name has labels, or is itself, as long as this host"
    if (why := refusal(site.host, site.port)) is not None:
        return FailureCode.BLOCKED_ADDRESS, f"{why} (THRESHER_FETCH_ALLOW)"
    if (why := known.hopeless.get(site.host)) is not None:
        return FailureCode.RATE_LIMITED, why
    return None


def _leave_unknown(told: Forecast, host: HostLoad, site: Site, mode: RobotsMode) -> None:
    host.urls += len(site.pages)
    if mode is not RobotsMode.IGNORE:
        host.robots_known = False
        told.unknown += site.items


def _ask(told: Forecast, host: HostLoad, site: Site, rules: Rules, mode: RobotsMode, *, decide: bool) -> None:
    """Ask the robots.txt of a site about its pace, and about each page unless that would take too long."""
    if rules.crawl_delay is not None:
        host.crawl_delay = max(host.crawl_delay or 0.0, rules.crawl_delay)
    if not decide:
        _leave_unknown(told, host, site, mode)
        return
    for (page, _), positions in site.pages.items():
        rule = rules.deciding(page.partition("#")[0])
        if rule is None or rule.allow:
            told.allowed += len(positions)
            host.urls += 1
            continue
        told.disallowed += len(positions)
        if mode is RobotsMode.OBEY:
            reason = f"{site.origin}/robots.txt disallows this path: Disallow: {rule.pattern}"
            _fail(told, [positions], FailureCode.ROBOTS_DISALLOWED, reason)
        else:
            host.urls += 1


def _fail(told: Forecast, pages: Iterable[list[int]], code: FailureCode, reason: str) -> None:
    told.failing += [Failing(position, code, reason) for positions in pages for position in positions]
