"""How items end: what an attempt that came to nothing leaves behind, what a file is told before it is read, and what is settled.

Pure, but for the clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from thresher.domain.failure import FAILURES, Failure, FailureCode
from thresher.domain.states import ItemState, SkipReason
from thresher.domain.way import SKIPPED
from thresher.pipeline.attempt import Attempt, now
from thresher.storage.inputs import Input, Twin
from thresher.storage.settling import Settled
from thresher.storage.shards import Claim, ShardItem

Record = dict[str, Any]


def failed(code: FailureCode, detail: str = "", at: str = "") -> Attempt:
    """An attempt that came to nothing on our side of the network."""
    failure = Failure(code, detail or FAILURES[code].meaning)
    return Attempt({"at": at or now(), "code": code, "detail": failure.detail}, None, failure)


def out_of_time(result: Attempt) -> Attempt:
    """An attempt that had less time than it may take, because the item's deadline came."""
    if result.failure is None or result.failure.code is not FailureCode.TIMEOUT:
        return result
    failure = Failure(FailureCode.DEADLINE, f"The item's deadline came. {result.failure.detail}")
    return replace(result, failure=failure, record=result.record | {"code": failure.code, "detail": failure.detail})


def left_alone(strikes: int, seconds: float) -> Attempt:
    """What becomes of items whose host is asked for nothing for so long that they cannot wait for it."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    times = "once" if strikes == 1 else f"{strikes} times in a row"
    detail = f"The host has asked for fewer requests {times}, and is left alone until {until:%H:%M} UTC."
    return failed(FailureCode.RATE_LIMITED, detail)


def settled(item: ShardItem, attempts: Sequence[Record], result: Attempt) -> Settled:
    """The end of an item, by the result of its last attempt."""
    failure = result.failure
    return Settled(
        item.ord,
        ItemState.FAILED if failure else ItemState.COMPLETED,
        list(attempts),
        failure.code if failure else None,
        failure.detail.replace("\0", "") if failure else None,
        result.http,
        0 if failure else item.price,
        digest=result.digest,
    )


def unread(claim: Claim, inputs: Mapping[int, Input], most: int) -> Iterator[Settled]:
    """The ends of the files of a claim that are not to be read: there is a result already, they are gone, or have more than `most` bytes."""
    skips = "parse" in claim.options
    for item in claim.items:
        if item.file is None:
            continue
        there = inputs.get(item.ord, Input(None))
        if there.twin is not None:
            yield _skipped(item, SkipReason.ALREADY_PROCESSED, there.twin)
        elif there.bytes is None:
            result = failed(FailureCode.FILE_GONE)
            yield settled(item, [*item.attempts, result.record], result)
        elif there.bytes.size > most and skips:
            yield _skipped(item, SkipReason.SIZE_LIMIT_EXCEEDED)
        elif there.bytes.size > most:
            detail = f"The file has {there.bytes.size} bytes, and THRESHER_DOCUMENT_MAX_BYTES is {most}."
            result = failed(FailureCode.TOO_LARGE, detail)
            yield settled(item, [*item.attempts, result.record], result)


def _skipped(item: ShardItem, reason: SkipReason, twin: Twin | None = None) -> Settled:
    record: Record = {"at": now(), "code": SKIPPED, "detail": reason}
    if twin is None:
        return Settled(item.ord, ItemState.SKIPPED, [*item.attempts, record], detail=reason)
    attempts = [*item.attempts, record | {"reused": {"batch": twin.batch, "item": twin.ord}}]
    place = (twin.batch, twin.ord)
    return Settled(item.ord, ItemState.SKIPPED, attempts, detail=reason, digest=twin.digest, twin=place)
