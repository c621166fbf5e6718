"""What became of an item, step by step, from what is stored of it: its batch, the records of its attempts, its end.

Pure. A step has `at` (UTC), `ms` (how long it took; null for a moment), `what`, `attempt` (from 1, in those of an attempt) and `text`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from thresher.domain.choices import RobotsMode
from thresher.domain.failure import FailureCode
from thresher.domain.states import ItemState, SkipReason
from thresher.domain.way import MOVED, SKIPPED, way
from thresher.storage.batches import Batch
from thresher.storage.items import Item

Step = dict[str, Any]
Record = dict[str, Any]

# Why an attempt was not followed by the next at once, by its code.
_WAITS: dict[str, str] = {
    MOVED: "In line at {host}, where it was redirected to.",
    FailureCode.RATE_LIMITED: "The host was left alone, as it had asked for fewer requests.",
    FailureCode.CANCELLED: "In line again: the worker that had it was stopped.",
}
_RETRY_WAIT = "Left for a while before it was tried again, and in line at {host}."
_FILE_WAIT = "Left for a while before it was tried again."
_SKIPS = {
    SkipReason.ALREADY_PROCESSED: "There was nothing to do: {reused} has a result of the same bytes with the same parameters.",
    SkipReason.SIZE_LIMIT_EXCEEDED: "There was nothing to do: the file is larger than what this server converts.",
}


def timeline(batch: Batch, item: Item, attempts: Sequence[Record], finished_at: datetime | None) -> list[Step]:
    """All steps, the oldest first; of an unsettled item those up to now."""
    steps = list(_before(batch, attempts))
    for number, record in enumerate(attempts, 1):
        host = way(item.ref, attempts[: number - 1]).url.host if item.file is None else ""
        if number > 1:
            steps.append(_wait(attempts[number - 2], record, host))
        asked = batch.options.get("robots") != RobotsMode.IGNORE
        steps += [step | {"attempt": number} for step in _attempt(record, host, asked_robots=asked)]
    if item.state is not ItemState.PENDING:
        steps.append(_end(batch, item, attempts, finished_at))
    return steps


def moment(time: datetime) -> str:
    """A moment as it is written in a timeline, and in the records of attempts."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")


def _step(at: datetime, ms: float | None, what: str, text: str) -> Step:
    return {"at": moment(at), "ms": None if ms is None else round(max(ms, 0.0), 1), "what": what, "text": text}


def _before(batch: Batch, attempts: Sequence[Record]) -> Iterator[Step]:
    begun = batch.started_at or batch.created_at
    if batch.started_at is not None and begun > batch.created_at:
        yield _step(batch.created_at, _ms(begun - batch.created_at), "open", "The batch was open, and not started.")
    yield _step(begun, None, "started", f"The batch {batch.public_id} was started.")
    if attempts:
        yield _step(begun, _ms(_at(attempts[0]) - begun), "queue", "In line until a worker began with it.")


def _attempt(record: Record, host: str, *, asked_robots: bool) -> Iterator[Step]:
    at, ms = _at(record), record.get("ms", {})
    if "robots" in ms or (asked_robots and "total" in ms):
        said = f" It says: {record['robots']}." if "robots" in record else ""
        known = "Waited for robots.txt." if "robots" in ms else "robots.txt was known already."
        yield _step(at, ms.get("robots", 0.0), "robots", known + said)
        at += timedelta(milliseconds=ms.get("robots", 0.0))
    if "shared" in record:
        same = "URL" if host else "content"
        yield _step(at, None, "shared", f"For {record['shared']} items together, which have the same {same}.")
    if "total" in ms:
        yield from _fetch(record, host, at, ms)
        at += timedelta(milliseconds=ms["total"])
    if "read" in ms:
        yield _step(at, ms["read"], "read", f"Read {record.get('bytes', 0):,} bytes from the store.")
        at += timedelta(milliseconds=ms["read"])
    if "reused" in record and record.get("code") != SKIPPED:
        yield _step(at, None, "stored", _stored(record))
    if "convert" in ms:
        charset = f", read as {record['charset']} ({record.get('charset_source')})" if "charset" in record else ""
        yield _step(at, ms["convert"], "convert", f"Converted{charset}.")
    over = _over(record)
    if verdict := record.get("verdict"):
        yield _step(over, None, "verdict", f"{verdict['code']}: {'; '.join(verdict['evidence'])}")
    yield _step(over, None, *_outcome(record))


def _fetch(record: Record, host: str, at: datetime, ms: dict[str, float]) -> Iterator[Step]:
    dns, connect, tls, total = ms.get("dns", 0.0), ms.get("connect", 0.0), ms.get("tls", 0.0), ms["total"]
    yield _step(at, dns, "dns", f"Looked up {host}." if dns else "Its address was known already, or not asked for.")
    over = f"IPv{record['family']}" if "family" in record else "no address so far"
    text = f"Connected over {over}." if connect else "Over a connection that was there, or none."
    yield _step(at + timedelta(milliseconds=dns), connect - tls, "connect", text)
    if tls:
        yield _step(at + timedelta(milliseconds=dns + connect - tls), tls, "tls", "Agreed on TLS.")
    asked = at + timedelta(milliseconds=dns + connect)
    if "first_byte" not in ms:
        yield _step(asked, total - dns - connect, "no_answer", "No valid answer came.")
        return
    first = ms["first_byte"]
    status = f", status {record['status']}" if "status" in record else ""
    via = f", after redirects to {record['final_url']}" if "final_url" in record else ""
    yield _step(asked, first - dns - connect, "first_byte", f"Waited for the head of the answer{status}{via}.")
    yield _step(
        at + timedelta(milliseconds=first), total - first, "body", f"{record.get('bytes', 0):,} bytes of the body came."
    )


def _stored(record: Record) -> str:
    whose = f"the page that is stored for {record['reused']}"
    if "status" in record:
        return f"The site said that {whose} has not changed."
    return f"Took {whose}, as it was at {record.get('fetched_at')}; nobody was asked for it."


def _outcome(record: Record) -> tuple[str, str]:
    code = record.get("code")
    if code == MOVED:
        return "moved", f"Redirected to {record.get('to')}."
    if code == SKIPPED:
        return "skipped", _SKIPS[SkipReason(record["detail"])].format(reused=record.get("reused"))
    if code == "ok":
        return "done", "The attempt has a result."
    return "failed", f"{code}: {record.get('detail', '')}"


def _wait(before: Record, after: Record, host: str) -> Step:
    since = _over(before)
    text = _WAITS.get(str(before.get("code")), _RETRY_WAIT if host else _FILE_WAIT).format(host=host)
    return _step(since, _ms(_at(after) - since), "wait", text)


def _end(batch: Batch, item: Item, attempts: Sequence[Record], finished_at: datetime | None) -> Step:
    """Of an item that its batch took along and that is not written yet, the end is the batch's."""
    at = finished_at or batch.finished_at or batch.created_at
    ms = _ms(at - _over(attempts[-1])) if attempts else None
    if item.failure is None:
        return _step(at, ms, "settled", f"Written as {item.state.name.lower()}.")
    return _step(at, ms, "settled", f"Written as {item.state.name.lower()}, {item.failure}: {item.detail}")


def _at(record: Record) -> datetime:
    return datetime.fromisoformat(record["at"])


def _over(record: Record) -> datetime:
    return _at(record) + timedelta(seconds=record.get("seconds", 0.0))


def _ms(span: timedelta) -> float:
    return span.total_seconds() * 1000
