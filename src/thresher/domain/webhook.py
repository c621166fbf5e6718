"""Webhooks: what is sent, how it is signed, when it is tried again, and which receivers are refused at once. Pure.

The envelope is Olostep's; the headers beside it are those of Standard Webhooks.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from thresher.domain import ids, reach
from thresher.domain.address import AllowList
from thresher.domain.embedded import nat64_prefix
from thresher.domain.states import Outcome
from thresher.domain.url import Url

SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins
SECRET_BYTES = 32
MOST_DELAY = 86_400.0  # seconds that a Retry-After may put off an attempt


class EventType(StrEnum):
    """What events tell of. The last is sent because somebody asks for it, and belongs to no batch."""

    COMPLETED = "batch.completed"
    ITEMS = "batch.items"
    TEST = "webhook.test"


class Subject(StrEnum):
    """What a batch may want to be told of: `webhook_events` of a create. The last two come together, in events of items."""

    BATCH_COMPLETED = "batch.completed"
    ITEM_COMPLETED = "item.completed"
    ITEM_FAILED = "item.failed"


class EventState(StrEnum):
    """Where an event is on its way. GONE: the receiver said 410, and wants no more of it. UNSENT: there is nothing to tell."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GONE = "gone"
    GIVEN_UP = "given_up"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Move:
    """What follows from an attempt: the event's state, and the seconds to the next attempt if it is pending."""

    state: EventState
    delay: float = 0.0


def move(status: int | None, retry_after: float | None, times: Sequence[float], tries: int, took: float) -> Move:
    """After the attempt number `tries` (from 1), begun `took` seconds ago. `times`: seconds of each attempt after the first.

    `status` is None when there was no answer. A Retry-After (seconds) makes the next attempt later, never earlier.
    """
    if status is not None and 200 <= status < 300:
        return Move(EventState.DELIVERED)
    if status == 410:
        return Move(EventState.GONE)
    if tries >= len(times):
        return Move(EventState.GIVEN_UP)
    gap = times[tries] - times[tries - 1]
    return Move(EventState.PENDING, max(gap - took, min(retry_after or 0.0, MOST_DELAY), 0.0))


def envelope(event: str, kind: str, body: Mapping[str, Any], now: datetime, attempt: str) -> dict[str, Any]:
    """What is posted: `now` is the time of this attempt, `attempt` its number and how many there may be, as 1/5."""
    data = _completed(body) if kind == EventType.COMPLETED else body
    named = {"event_type": _event_type(body)} if kind == EventType.COMPLETED and _of_parse_api(body) else {}
    return {
        "id": event,
        "object": f"event.{kind}",
        **named,
        "timestamp": int(now.timestamp() * 1000),
        "delivery_attempt": attempt,
        "data": data,
    }


def _of_parse_api(body: Mapping[str, Any]) -> bool:
    return ids.is_of_parse_api(str(body.get("id")))


def _event_type(body: Mapping[str, Any]) -> str:
    """What the parse API calls the end of a batch: a success, whatever became of its files, unless it was cut off."""
    ends = {Outcome.CANCELLED: "batch.cancelled", Outcome.EXPIRED: "batch.error"}
    return ends.get(Outcome(body["outcome"]), "batch.success")


def _completed(body: Mapping[str, Any]) -> dict[str, Any]:
    """A finished batch, of which every item that has no result counts as failed: the two add up to the total."""
    return {
        "id": body["id"],
        "object": "batch",
        "status": "completed",
        "items_total": body["total"],
        "items_completed": body["completed"],
        "items_failed": body["total"] - body["completed"],
        "created_at": _iso(body["created_at"]),
        "completed_at": _iso(body["finished_at"]),
        **({name: body[name] for name in ("compare_with", "changes")} if "compare_with" in body else {}),
    }


def _iso(text: str) -> str:
    """PostgreSQL's UTC timestamp, to the millisecond, with the Z that programs expect."""
    return datetime.fromisoformat(text).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_uncounted(body: Mapping[str, Any]) -> bool:
    """Whether an event is to tell of changes, and they have not been counted."""
    return "compare_with" in body and "changes" not in body


def new_secret() -> bytes:
    """A new secret to sign with."""
    return secrets.token_bytes(SECRET_BYTES)


def spelled(secret: bytes) -> str:
    """A secret as its receiver is told it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def headers(event: str, body: bytes, now: datetime, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of Standard Webhooks, with a signature by each of the secrets."""
    stamp = str(int(now.timestamp()))
    content = f"{event}.{stamp}.".encode() + body
    signed = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": event,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signed),
    }


def parse_api_headers(content: Mapping[str, Any], body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The header by which clients of the parse API verify an event of a batch of it, `content`, that is posted as `body`: signed

    by the current secret, the first, as its receiver is told it.
    """
    if not _of_parse_api(content):
        return {}
    return {"LC-Signature": "sha256=" + hmac.digest(spelled(keys[0]).encode(), body, hashlib.sha256).hex()}


def refusal(url: Url, allow: AllowList, nat64: Sequence[str]) -> str | None:
    """Why a receiver is refused when a batch names it, or None. What a name resolves to is judged at each attempt."""
    fault = reach.refusal(url.host, url.port, allow, [nat64_prefix(text) for text in nat64])
    return f"must not be a private address or a forbidden port: {fault} (THRESHER_WEBHOOK_ALLOW)" if fault else None
