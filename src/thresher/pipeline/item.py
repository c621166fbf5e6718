"""One attempt at one item, from reference to result: robots, fetch, verdict, convert. The flow on one page.

Knows nothing of batches, shards or the database; whether a failed attempt is tried again is the engine's decision.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from thresher.convert.document import Source
from thresher.convert.sandbox import Converter
from thresher.domain.choices import Choices
from thresher.domain.failure import Failure, FailureCode, ItemFailed
from thresher.domain.url import Url
from thresher.net.fetch import Fetched, Fetcher, FetchFailed
from thresher.pipeline.verdict import DOUBTFUL, check_content, check_error_page, check_status, parse_retry_after


class RobotsGate(Protocol):
    """Raises ItemFailed(robots_disallowed) for what a site's robots.txt forbids."""

    async def check(self, url: Url) -> None: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What an attempt works with; shared by all items of a worker."""

    fetcher: Fetcher
    converter: Converter
    robots: RobotsGate


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt went. `frame` is the result, None if `failure` says why there is none.

    `record` is what the item keeps of the attempt: at, code, status, bytes, family, ms by phase, detail,
    charset, charset_source, charset_certainty, verdict.
    `retry_after` is in seconds, where the server asked for a pause.
    """

    record: dict[str, Any]
    http: int | None
    failure: Failure | None = None
    frame: bytes | None = None
    retry_after: float | None = None


async def attempt(url: Url, tools: Tools, timeout: float, choices: Choices) -> Attempt:
    """Try one item once, within `timeout` seconds for everything on the network. Never raises but for cancellation and bugs."""
    begun, at = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
    record: dict[str, Any] = {"at": at}
    fetched: Fetched | None = None
    retry_after = None
    lease = tools.fetcher.lease()
    try:
        await _ask_robots(url, tools.robots, timeout)
        left = max(timeout - (time.monotonic() - begun), 0.001)
        fetched = await tools.fetcher.fetch(url, timeout=left, vet=tools.robots.check, lease=lease)
        record |= _about(fetched)
        retry_after = parse_retry_after(fetched.headers.get("retry-after"))
        try:
            check_status(fetched.status, retry_after)
        except ItemFailed as failed:
            await _look_behind(failed, fetched, tools.converter, record)
            raise
        frame, about = await _convert(fetched, tools.converter, at)
        record["ms"] |= about.pop("ms")
        record |= about
        check_content(about["verdict"], choices.on_blocked)
    except ItemFailed as failed:
        if isinstance(failed, FetchFailed):
            record |= {
                "status": failed.status,
                "family": failed.family,
                "bytes": failed.bytes,
                "ms": _rounded(failed.ms),
            }
        record |= {"code": failed.failure.code, "detail": failed.failure.detail, "seconds": _since(begun)}
        return Attempt(_clean(record), record.get("status"), failed.failure, None, retry_after)
    finally:
        lease.shrink(0)  # not before the body is converted: bodies that wait for the converter count too
    record |= {"code": "ok", "seconds": _since(begun)}
    return Attempt(_clean(record), fetched.status, None, frame, retry_after)


async def _ask_robots(url: Url, robots: RobotsGate, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await robots.check(url)
    except TimeoutError:
        raise ItemFailed(FailureCode.TIMEOUT, "robots.txt did not come in time.") from None


async def _look_behind(failed: ItemFailed, fetched: Fetched, converter: Converter, record: dict[str, Any]) -> None:
    """Raise what says more of an error than its status. That it cannot be converted says nothing."""
    if fetched.status not in DOUBTFUL or failed.failure.code is FailureCode.RATE_LIMITED or not fetched.body:
        return
    try:
        _, about = await _convert(fetched, converter, record["at"])
    except ItemFailed:
        return
    try:
        check_error_page(fetched.status, about["verdict"])
    except ItemFailed:
        record["verdict"] = about["verdict"]
        raise


async def _convert(fetched: Fetched, converter: Converter, at: str) -> tuple[bytes, dict[str, Any]]:
    requested = fetched.redirects[0] if fetched.redirects else None
    headers = (fetched.content_type, fetched.content_encoding, requested, fetched.headers)
    source = Source(fetched.url, fetched.body, *headers)
    begun = time.monotonic()
    meta = {"status_code": fetched.status, "redirects": fetched.redirects, "headers": fetched.headers, "fetched_at": at}
    converted = await converter.convert(source, meta)
    ms = {"convert": round((time.monotonic() - begun) * 1000, 1)}
    kept = ("charset", "charset_source", "charset_certainty", "verdict")
    return converted.frame, {"ms": ms, **{name: converted.facts[name] for name in kept}}


def _about(fetched: Fetched) -> dict[str, Any]:
    return {
        "status": fetched.status,
        "family": fetched.family,
        "bytes": len(fetched.body),
        "ms": _rounded(fetched.ms),
        "final_url": fetched.url if fetched.redirects else None,
    }


def _rounded(ms: dict[str, float]) -> dict[str, float]:
    return {phase: round(value, 1) for phase, value in ms.items()}


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)


def _clean(record: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known, and without NULs, which PostgreSQL does not take."""
    return {
        key: value.replace("\0", "") if isinstance(value, str) else value
        for key, value in record.items()
        if value is not None
    }
