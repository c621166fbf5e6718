"""How batches and items look on the Olostep face: plain dicts, ready for orjson. Pure functions of what was read.

Every key that an official client requires is there, and none that makes one fail: see docs/api.md.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from thresher.domain import credit
from thresher.domain.choices import Content
from thresher.domain.failure import failure_view
from thresher.domain.speed import STALE
from thresher.domain.states import BatchState, ItemState
from thresher.domain.way import SKIPPED
from thresher.storage.batches import Batch
from thresher.storage.items import Item

NO_PARSER = "none"  # the SDK requires a string

RetrieveId = Callable[[int, int], str]  # (batch key, position) to the public id


def status_of(*, done: bool) -> str:
    """Only ever one of two words: clients refuse every other. What really happened is the outcome."""
    return "completed" if done else "in_progress"


def batch_view(batch: Batch, usd_per_credit: float) -> dict[str, Any]:
    """The reply of create and of info. Times are in seconds since the epoch; `country` and `webhook` only when set."""
    done = batch.state is BatchState.DONE
    parser = batch.options.get("parser", NO_PARSER)
    view: dict[str, Any] = {
        "id": batch.public_id,
        "object": "batch",
        "status": status_of(done=done),
        "created": int(batch.created_at.timestamp()),
        "total_urls": batch.total,
        "completed_urls": batch.completed,
        "number_retried": batch.generation,
        "parser": parser,
        "batch_parser": parser,
        "start_date": batch.created_at.date().isoformat(),
        "metadata": batch.metadata,
        "source": batch.source,
        "credits_consumed": batch.billed if done else None,
        "cost_usd": credit.in_usd(batch.billed, usd_per_credit) if done else None,
        "state": batch.state,
        "outcome": batch.outcome if done else None,
        "deadline": int(batch.deadline_at.timestamp()),
        "counts": counts_view(batch),
        **_speed_view(batch),
    }
    if parsing := _parsing_view(batch):
        view["parser_stats"] = parsing
    if batch.retry_of:
        view["retry_of"] = batch.retry_of
    if batch.applied_to:
        view["applied_to"] = batch.applied_to
    if country := batch.options.get("country"):
        view["country"] = view["batch_country"] = country
    for name in ("robots", "on_blocked", "content", "webhook_events", "max_age"):
        if (choice := batch.options.get(name)) is not None:
            view[name] = choice
    if batch.compare_with:
        view |= {"compare_with": batch.compare_with, "changes": batch.changes}
        view |= {"webhook_only_changes": True} if batch.options.get("webhook_only_changes") else {}
    if batch.webhook:
        view["webhook"] = batch.webhook
    if batch.finished_at is not None:
        view["finished_at"] = int(batch.finished_at.timestamp())
    return view


def _speed_view(batch: Batch) -> dict[str, float | int | None]:
    """Items a second and when the last will be finished, as measured at the last settle; null when nothing moves."""
    if batch.speed is None or batch.moved_at is None:
        return {"rate": None, "eta": None}
    rate, moved = round(batch.speed, 3), batch.moved_at.timestamp()
    if batch.state is not BatchState.DONE and (not rate or time.time() - moved > STALE):
        return {"rate": None, "eta": None}
    if batch.state is not BatchState.RUNNING:  # what is left of one that is stopping is not worked at any more
        return {"rate": rate, "eta": None}
    return {"rate": rate, "eta": round(moved + (batch.total - batch.finished) / rate)}


def _parsing_view(batch: Batch) -> dict[str, float | int | None] | None:
    """How the parser fares with the pages that it was given; None for a batch that has none, and no item that has one."""
    tried = batch.parsed + batch.unmatched + batch.unparsed
    if not tried and not batch.options.get("parser"):
        return None
    rate = round(batch.parsed / tried, 4) if tried else None
    return {
        "tried": tried,
        "matched": batch.parsed,
        "no_match": batch.unmatched,
        "failed": batch.unparsed,
        "rate": rate,
    }


def counts_view(batch: Batch) -> dict[str, int]:
    """Every state with its count; the states sum to the total at every instant."""
    return {
        "total": batch.total,
        "pending": batch.pending,
        "processing": batch.processing,
        "completed": batch.completed,
        "failed": batch.failed,
        "skipped": batch.skipped,
        "cancelled": batch.cancelled,
    }


def deleted_view(batch: Batch) -> dict[str, Any]:
    """The reply of a delete: the tombstone."""
    return {
        "id": batch.public_id,
        "object": "batch",
        "deleted": True,
        "counts": counts_view(batch),
        "outcome": batch.outcome,
    }


def items_view(
    batch: Batch, status: str, items: Sequence[Any], count: int, cursor: int | None, name: str
) -> dict[str, Any]:
    """A page of items. `name` is the reply's `object`; `cursor` is absent on the last page, for some clients loop on null."""
    view: dict[str, Any] = {
        "id": batch.public_id,
        "batch_id": batch.public_id,
        "object": name,
        "status": status,
        "items": items,
        "items_count": count,
    }
    if cursor is not None:
        view["cursor"] = cursor
    return view


def told(attempts: list[dict[str, Any]], retrieve_id: RetrieveId) -> list[dict[str, Any]]:
    """The records of attempts as they are shown: a stored page that was taken is named by the id of its item."""
    if not any("reused" in record for record in attempts):
        return attempts
    return [
        record | {"reused": retrieve_id(record["reused"]["batch"], record["reused"]["item"])}
        if "reused" in record
        else record
        for record in attempts
    ]


def reuse_view(attempts: list[dict[str, Any]]) -> dict[str, Any]:
    """Of an item whose page was stored already: when that was fetched or last confirmed, and the item that it was stored for.

    Of one that was skipped: why, and the item that has its result, if one has. `attempts` as they are shown.
    """
    last = attempts[-1] if attempts else {}
    if last.get("code") == SKIPPED:
        return {"skip_reason": last["detail"]} | ({"reused": last["reused"]} if "reused" in last else {})
    return {name: last.get(name) for name in ("fetched_at", "reused")} if "reused" in last else {}


def item_view(item: Item, unsettled: str | None, retrieve_id: RetrieveId) -> dict[str, Any]:
    """An item of a page. `unsettled` is the state of one that has no end yet; only the others have a retrieve_id."""
    view: dict[str, Any] = {"custom_id": item.custom_id, "url": item.ref, "id": retrieve_id(item.batch, item.ord)}
    view |= file_view(item)
    if unsettled is None:
        view["retrieve_id"] = view["id"]
        view["status"] = item.state.name.lower()
    else:
        view["status"] = unsettled
    if item.metadata:
        view["metadata"] = item.metadata
    if item.own:
        view["options"] = options_view(item.own)
    if item.http is not None:
        view["http_status"] = item.http
    if error := error_view(item):
        view["error"] = error
    if verdict := verdict_of(item):
        view["verdict"] = verdict
    if unsettled is None:
        view |= country_view(item) | main_view(item) | reuse_view(told(item.attempts[-1:], retrieve_id))
    return view


def file_view(item: Item) -> dict[str, Any]:
    """Of an item that is a file: which, and its name; nothing of others."""
    return {} if item.file is None else {"file_id": str(item.file), "name": item.name}


def options_view(options: Mapping[str, Any]) -> dict[str, Any]:
    """Choices as they are stored, in the words of a request. Headers are none of them: nobody is told what they are."""
    return {**options, "parser": options["parser"] or NO_PARSER} if "parser" in options else {**options}


def main_view(item: Item) -> dict[str, Any]:
    """Whether a result's markdown and text are of the main content, where that was asked for; else nothing."""
    found = item.attempts[-1].get("content") if item.attempts and item.state is ItemState.COMPLETED else None
    return {"main_content": found == Content.MAIN} if found else {}


def country_view(item: Item) -> dict[str, Any]:
    """Which country an item of a batch with one was asked for from, and whether it was at all; nothing of other batches.

    A result is of the last attempt. What failed may have ended between two: without another, or broken off.
    """
    country = item.options.get("country")
    if country is None:
        return {}
    told = item.attempts[-1:] if item.state is ItemState.COMPLETED else item.attempts
    through = next((attempt["country"] for attempt in reversed(told) if "country" in attempt), None)
    return {"country": through or country, "country_applied": through is not None}


def verdict_of(item: Item) -> dict[str, Any] | None:
    """What the item's answer is if it is not the page ({code, evidence}): why it failed, or was kept all the same."""
    found: dict[str, Any] | None = item.attempts[-1].get("verdict") if item.attempts else None
    return found


def error_view(item: Item) -> dict[str, Any] | None:
    """Why an item has no result, with what can be done about it; None when it has not failed."""
    if item.failure is None or item.state not in (ItemState.FAILED, ItemState.CANCELLED):
        return None
    return failure_view(item.failure, item.detail)
