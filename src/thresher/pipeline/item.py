"""One attempt at one item, from reference to result: robots, fetch, verdict, convert. The flow on one page.

Knows nothing of batches, shards or the database; whether a failed attempt is tried again is the engine's decision.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from thresher.convert.document import How, Source
from thresher.convert.sandbox import Converter
from thresher.domain import country
from thresher.domain.choices import Choices
from thresher.domain.failure import Failure, FailureCode, ItemFailed
from thresher.domain.url import Url, parse
from thresher.domain.way import MOVED, Way
from thresher.net.fetch import Fetched, Fetcher, FetchFailed
from thresher.net.language import accept_language
from thresher.pipeline.gate import Gate, MayBegin, RobotsGate, at_once
from thresher.pipeline.verdict import (
    DOUBTFUL,
    check_content,
    check_error_page,
    check_parsed,
    check_status,
    parse_retry_after,
)

_PLAIN = How()


class NotNow(Exception):
    """The first request of an attempt may not begin yet. Nothing was sent, and there is nothing to record."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What an attempt works with; shared by all items of a worker."""

    fetcher: Fetcher
    converter: Converter
    robots: RobotsGate


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt went. `frame` is the result, None if `failure` says why there is none, or if the item `moved`:

    then it goes on at that URL, in an attempt of its own. `record` is what the item keeps of the attempt: at, code, country, status,
    bytes, family, ms by phase, detail, charset, charset_source, charset_certainty, verdict. `retry_after` is in seconds, where the server asked for a pause.
    """

    record: dict[str, Any]
    http: int | None
    failure: Failure | None = None
    frame: bytes | None = None
    retry_after: float | None = None
    moved: Url | None = None


async def attempt(
    url: Url | Way, tools: Tools, timeout: float, choices: Choices, may_begin: MayBegin = at_once
) -> Attempt:
    """Try one item once, within `timeout` seconds for everything on the network.

    An attempt stays at one host: a redirect to another ends it, and so does one at whose time `may_begin` says no.
    Raises NotNow if it says so at the first request; nothing else but for cancellation and bugs.
    """
    way = url if isinstance(url, Way) else Way(url)
    begun, at = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
    here = country.pick(choices.country, tools.fetcher.countries, way.country)
    record: dict[str, Any] = {"at": at, "country": here}
    fetched: Fetched | None = None
    retry_after = None
    lease = tools.fetcher.lease()
    gate = Gate(way.url, tools.robots, choices.robots, may_begin)
    try:
        if not await gate.open(timeout):
            raise NotNow
        left = max(timeout - (time.monotonic() - begun), 0.001)
        fetched = await tools.fetcher.fetch(
            way.url,
            timeout=left,
            headers=accept_language(here or choices.country),
            private=choices.headers,
            country=here,
            vet=gate.passes,
            redirects=way.redirects,
            lease=lease,
        )
        record |= _about(fetched)
        if fetched.moved:
            record |= {"code": MOVED, "to": fetched.url, "redirects": fetched.redirects[len(way.redirects) :]}
            return Attempt(_finish(record, gate, begun), fetched.status, moved=parse(fetched.url))
        retry_after = parse_retry_after(fetched.headers.get("retry-after"))
        try:
            check_status(fetched.status, retry_after)
        except ItemFailed as failed:
            await _look_behind(failed, fetched, tools.converter, record)
            raise
        frame, facts, unparsed = await _convert(fetched, tools.converter, record, How(choices.parser, choices.content))
        record |= facts
        check_content(facts["verdict"], choices.on_blocked)
        check_parsed(unparsed)
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
        return Attempt(_finish(record, gate, begun), record.get("status"), failed.failure, None, retry_after)
    finally:
        lease.shrink(0)  # not before the body is converted: bodies that wait for the converter count too
    record["code"] = "ok"
    return Attempt(_finish(record, gate, begun), fetched.status, None, frame, retry_after)


async def _look_behind(failed: ItemFailed, fetched: Fetched, converter: Converter, record: dict[str, Any]) -> None:
    """Raise what says more of an error than its status. That it cannot be converted says nothing."""
    if fetched.status not in DOUBTFUL or failed.failure.code is FailureCode.RATE_LIMITED or not fetched.body:
        return
    try:
        _, facts, _ = await _convert(fetched, converter, record)
    except ItemFailed:
        return
    try:
        check_error_page(fetched.status, facts["verdict"])
    except ItemFailed:
        record["verdict"] = facts["verdict"]
        raise


async def _convert(
    fetched: Fetched, converter: Converter, record: dict[str, Any], how: How = _PLAIN
) -> tuple[bytes, dict[str, Any], dict[str, Any] | None]:
    """The frame, what an item keeps of what was found, and why the parser made nothing of it. How long it took is in the record, whether it could be done or not."""
    requested = fetched.redirects[0] if fetched.redirects else None
    headers = (fetched.content_type, fetched.content_encoding, requested, fetched.headers)
    source = Source(fetched.url, fetched.body, *headers)
    begun = time.monotonic()
    meta = {
        "status_code": fetched.status,
        "redirects": fetched.redirects,
        "headers": fetched.headers,
        "fetched_at": record["at"],
    }
    try:
        converted = await converter.convert(source, meta, how)
    finally:
        record["ms"]["convert"] = round((time.monotonic() - begun) * 1000, 1)
    kept = ("charset", "charset_source", "charset_certainty", "verdict")
    return converted.frame, {name: converted.facts[name] for name in kept}, converted.facts["unparsed"]


def _about(fetched: Fetched) -> dict[str, Any]:
    return {
        "status": fetched.status,
        "family": fetched.family,
        "bytes": len(fetched.body),
        "ms": _rounded(fetched.ms),
        "final_url": fetched.url if fetched.redirects and not fetched.moved else None,
    }


def _finish(record: dict[str, Any], gate: Gate, begun: float) -> dict[str, Any]:
    """The record with what the gate saw, the time of it all, and without NULs, which PostgreSQL does not take."""
    if waited := round(gate.seconds * 1000, 1):
        record["ms"] = {"robots": waited} | record.get("ms", {})
    record |= {"robots": gate.said, "seconds": round(time.monotonic() - begun, 3)}
    return _clean(record)


def _rounded(ms: dict[str, float]) -> dict[str, float]:
    return {phase: round(value, 1) for phase, value in ms.items()}


def _clean(record: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known, and without NULs, which PostgreSQL does not take."""
    return {
        key: value.replace("\0", "") if isinstance(value, str) else value
        for key, value in record.items()
        if value is not None
    }
