"""One attempt at one item, from reference to result: robots, fetch, verdict, convert. The flow on one page.

Knows nothing of batches, shards or the database; whether a failed attempt is tried again is the engine's decision.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thresher.convert.converter import Converter
from thresher.convert.document import Source
from thresher.domain import country
from thresher.domain.choices import Choices
from thresher.domain.failure import FailureCode, ItemFailed
from thresher.domain.url import Url, parse
from thresher.domain.way import MOVED, Way
from thresher.net.fetch import Fetched, Fetcher, FetchFailed
from thresher.net.language import accept_language
from thresher.pipeline.attempt import Attempt, now, timed
from thresher.pipeline.gate import Gate, MayBegin, RobotsGate, at_once
from thresher.pipeline.reading import Body, convert, read
from thresher.pipeline.stored import open_page
from thresher.pipeline.verdict import (
    DOUBTFUL,
    check_error_page,
    check_status,
    parse_retry_after,
)
from thresher.storage.blobs import Blobs
from thresher.storage.pages import Page

_NOT_MODIFIED = 304


class NotNow(Exception):
    """The first request of an attempt may not begin yet. Nothing was sent, and there is nothing to record."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What an attempt works with; shared by all items of a worker. `store` is where pages may be stored already."""

    fetcher: Fetcher
    converter: Converter
    robots: RobotsGate
    store: Blobs | None = None


async def attempt(
    url: Url | Way,
    tools: Tools,
    timeout: float,
    wants: Sequence[Choices],
    may_begin: MayBegin = at_once,
    page: Page | None = None,
) -> list[Attempt]:
    """Try once to get one page, within `timeout` seconds for everything on the network, and read it as each of `wants` says,

    which are alike in how it is asked for. An attempt stays at one host: a redirect to another ends it, and so does one at whose time
    `may_begin` says no. `page` is one that is stored: the site is asked whether it is still the same, and if so it is what was got.
    Raises NotNow if `may_begin` says no at the first request; nothing else but for cancellation and bugs.
    """
    way = url if isinstance(url, Way) else Way(url)
    begun, choices = time.monotonic(), wants[0]
    here = country.pick(choices.country, tools.fetcher.countries, way.country)
    record: dict[str, Any] = {"at": now(), "country": here}
    fetched: Fetched | None = None
    retry_after = None
    gate = Gate(way.url, tools.robots, choices.robots, may_begin)
    with tools.fetcher.lease() as lease:  # until the body is converted: bodies that wait for the converter count too
        try:
            if not await gate.open(timeout):
                raise NotNow
            stored = await open_page(tools.store, page, lease) if tools.store and page else None
            asked = stored.validators if stored else None
            left = max(timeout - (time.monotonic() - begun), 0.001)
            fetched = await tools.fetcher.fetch(
                way.url,
                timeout=left,
                headers=accept_language(here or choices.country),
                private=choices.headers,
                validators=asked,
                country=here,
                vet=gate.passes,
                redirects=way.redirects,
                lease=lease,
            )
            record |= _about(fetched)
            if fetched.moved:
                record |= {"code": MOVED, "to": fetched.url, "redirects": fetched.redirects[len(way.redirects) :]}
                return [Attempt(_finish(record, gate, begun), fetched.status, moved=parse(fetched.url))] * len(wants)
            if stored and asked and (fetched.status, fetched.url) == (_NOT_MODIFIED, asked.url):
                record |= {"reused": stored.origin, "fetched_at": record["at"]}
                fetched = stored.confirmed(fetched)
            retry_after = parse_retry_after(fetched.headers.get("retry-after"))
            try:
                check_status(fetched.status, retry_after)
            except ItemFailed as failed:
                await _look_behind(failed, fetched, tools.converter, record)
                raise
        except ItemFailed as failed:
            if isinstance(failed, FetchFailed):
                record |= {
                    "status": failed.status,
                    "family": failed.family,
                    "bytes": failed.bytes,
                    "ms": _rounded(failed.ms),
                }
            record |= {"code": failed.failure.code, "detail": failed.failure.detail}
            retry_after = gate.retry_after if retry_after is None else retry_after
            ended = Attempt(_finish(record, gate, begun), record.get("status"), failed.failure, None, retry_after)
            return [ended] * len(wants)
        body = _body(fetched, record, retry_after)
        return [
            await read(body, tools.converter, record, want, lambda made: _finish(made, gate, begun)) for want in wants
        ]


async def reuse(page: Page, tools: Tools, max_age: float | None, wants: Sequence[Choices]) -> list[Attempt] | None:
    """What each of `wants` makes of a stored page, without a request to anybody. None if the page is gone from the store, or older

    than `max_age` seconds; None there takes one of any age.
    """
    begun = time.monotonic()
    with tools.fetcher.lease() as lease:
        stored = await open_page(tools.store, page, lease) if tools.store else None
        if stored is None or (max_age is not None and not stored.is_good(max_age)):
            return None
        fetched = stored.fetched
        record: dict[str, Any] = {"at": now(), "country": stored.country, "bytes": len(fetched.body), "ms": {}}
        record |= {"reused": stored.origin, "fetched_at": stored.at, "final_url": _final_url(fetched)}
        body = _body(fetched, record)
        return [await read(body, tools.converter, record, want, lambda made: timed(made, begun)) for want in wants]


async def _look_behind(failed: ItemFailed, fetched: Fetched, converter: Converter, record: dict[str, Any]) -> None:
    """Raise what says more of an error than its status. That it cannot be converted says nothing."""
    if fetched.status not in DOUBTFUL or failed.failure.code is FailureCode.RATE_LIMITED or not fetched.body:
        return
    try:
        verdict = (await convert(_body(fetched, record), converter, record)).facts["verdict"]
    except ItemFailed:
        return
    try:
        check_error_page(fetched.status, verdict)
    except ItemFailed:
        record["verdict"] = verdict
        raise


def _body(fetched: Fetched, record: dict[str, Any], retry_after: float | None = None) -> Body:
    """What was fetched, to be read."""
    requested = fetched.redirects[0] if fetched.redirects else None
    headers = (fetched.content_type, fetched.content_encoding, requested, fetched.headers)
    meta = {
        "status_code": fetched.status,
        "redirects": fetched.redirects,
        "headers": fetched.headers,
        "fetched_at": record.get("fetched_at", record["at"]),
        "country": record["country"],
    }
    return Body(Source(fetched.url, fetched.body, *headers), meta, fetched.status, retry_after)


def _about(fetched: Fetched) -> dict[str, Any]:
    return {
        "status": fetched.status,
        "family": fetched.family,
        "bytes": len(fetched.body),
        "ms": _rounded(fetched.ms),
        "final_url": _final_url(fetched),
    }


def _final_url(fetched: Fetched) -> str | None:
    return fetched.url if fetched.redirects and not fetched.moved else None


def _finish(record: dict[str, Any], gate: Gate, begun: float) -> dict[str, Any]:
    """The record with what the gate saw, the time of it all, and without NULs, which PostgreSQL does not take."""
    if waited := round(gate.seconds * 1000, 1):
        record["ms"] = {"robots": waited} | record.get("ms", {})
    return timed(record | {"robots": gate.said}, begun)


def _rounded(ms: dict[str, float]) -> dict[str, float]:
    return {phase: round(value, 1) for phase, value in ms.items()}
