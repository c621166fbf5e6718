"""How the parts of a forecast look: plain dicts, ready for orjson. Pure."""

import heapq
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from thresher.api.olostep.refusals import MOST_SHOWN, Refusals
from thresher.domain import credit
from thresher.domain.choices import RobotsMode
from thresher.domain.duration import Duration, Lane
from thresher.domain.forecast import Forecast, HostLoad
from thresher.storage.ledger import Statement
from thresher.storage.outlook import Measured

HOSTS_SHOWN = 20
MOST_CHARS = 200  # of a URL or a custom_id

# Of a URL that is refused for them: they are in no answer.
_CREDENTIALS = re.compile(r"^(\s*[A-Za-z][A-Za-z0-9+.-]*:[/\\]*)?[^/\\?#]*@")


def counts_view(refusals: Refusals, told: Forecast) -> dict[str, int]:
    total = len(refusals.entries)
    return {
        "total": total,
        "refused": refusals.count,
        "failing": len(told.failing),
        "unique_urls": told.unique_urls,
        "files": told.files,
        "duplicates": total - refusals.count - told.unique_urls - told.files,
    }


def refused_view(refusals: Refusals) -> list[dict[str, Any]]:
    return [_place(one.index, one.entry, one.code, one.reason) for one in refusals.first]


def failing_view(entries: Sequence[Any], told: Forecast) -> dict[str, Any]:
    """The first ones, and how many there are of each code."""
    first = heapq.nsmallest(MOST_SHOWN, told.failing, key=lambda one: one.position)
    return {
        "failing": [_place(one.position, entries[one.position], one.code, one.reason) for one in first],
        "failing_by_code": Counter(one.code.value for one in told.failing),
    }


def _place(index: int, entry: Any, code: str, reason: str) -> dict[str, Any]:
    """An item. Of `urls` the entry is the URL; of one that is refused nothing is certain."""
    fields = entry if isinstance(entry, dict) else {"url": entry}
    custom_id, url = fields.get("custom_id"), fields.get("url")
    return {
        "index": index,
        "custom_id": _short(str(custom_id)) if isinstance(custom_id, str | int) else None,
        "url": _short(_CREDENTIALS.sub(r"\g<1>…@", url)) if isinstance(url, str) else None,
        "code": code,
        "reason": reason,
    }


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARS else f"{text[: MOST_CHARS - 1]}…"


def robots_view(told: Forecast, mode: RobotsMode) -> dict[str, Any]:
    asked = mode is not RobotsMode.IGNORE
    return {
        "mode": mode,
        "allowed": told.allowed if asked else None,
        "disallowed": told.disallowed if asked else None,
        "unknown": told.unknown if asked else None,
        "unknown_hosts": sum(not host.robots_known for host in told.hosts.values()) if asked else None,
    }


def hosts_view(hosts: Mapping[str, HostLoad], lanes: Mapping[str, Lane], mode: RobotsMode) -> dict[str, Any]:
    largest = heapq.nsmallest(HOSTS_SHOWN, hosts.values(), key=lambda host: (-host.items, host.host))
    return {"total": len(hosts), "largest": [_host(host, lanes[host.host], mode) for host in largest]}


def _host(host: HostLoad, lane: Lane, mode: RobotsMode) -> dict[str, Any]:
    return {
        "host": host.host,
        "items": host.items,
        "urls": host.urls,
        "robots_known": host.robots_known if mode is not RobotsMode.IGNORE else None,
        "crawl_delay": host.crawl_delay,
        "interval": round(lane.interval, 3),
        "pause": round(lane.wait, 1),
    }


def credits_view(most: int, statement: Statement, usd_per_credit: float) -> dict[str, Any]:
    """`most` is what a create would reserve."""
    available = statement.available
    return {
        "most": most,
        "most_usd": credit.in_usd(most, usd_per_credit),
        "available": available,
        "sufficient": available is None or most <= available,
    }


def duration_view(takes: Duration, ahead: int, measured: Measured | None, lifetime: float) -> dict[str, Any]:
    return {
        "seconds": _rounded(takes.seconds),
        "reason": takes.reason,
        "within_timeout": None if takes.seconds is None else takes.seconds <= lifetime,
        "slowest_host": _slowest(*takes.slowest, measured) if takes.slowest else None,
        "server": {"seconds": _rounded(takes.server), "urls": takes.urls, "before": ahead},
        "measured": _measured(measured) if measured else None,
    }


def _slowest(lane: Lane, seconds: float, measured: Measured | None) -> dict[str, Any]:
    return {
        "host": lane.host,
        "seconds": _rounded(seconds),
        "urls": lane.urls,
        "before": lane.before,
        "pause": round(lane.wait, 1),
        "interval": round(lane.interval, 3),
        "seconds_per_page": _rounded(lane.page or (measured.pace.page if measured else None), 3),
    }


def _measured(measured: Measured) -> dict[str, Any]:
    return {
        "of": measured.of,
        "batches": measured.batches,
        "items_per_second": round(measured.pace.rate, 3),
        "seconds_per_page": _rounded(measured.pace.page, 3),
    }


def _rounded(seconds: float | None, digits: int = 1) -> float | None:
    return None if seconds is None else round(seconds, digits)
