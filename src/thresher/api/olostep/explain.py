"""GET /v1/items/{retrieve_id}/explain: one item, what became of it step by step, what it waits for, what can be done."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from thresher.api.auth import Reader
from thresher.api.olostep import results, schemas, views
from thresher.api.olostep.timeline import moment, timeline
from thresher.api.olostep.waiting import waiting_for
from thresher.api.openapi import PROBLEMS, problems
from thresher.api.reply import json_reply
from thresher.api.state import state_of
from thresher.domain import ids
from thresher.domain.choices import Choices
from thresher.domain.links import LinkOptions
from thresher.domain.remedy import Case, remedy
from thresher.domain.states import ItemState
from thresher.domain.way import MOVED, SKIPPED, way
from thresher.storage import whereabouts
from thresher.storage.batches import Batch
from thresher.storage.items import Item

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)


@router.get(
    "/items/{retrieve_id}/explain",
    response_model=schemas.Explanation,
    responses=problems(404, 410),
    summary="What became of an item, step by step",
)
async def explain_item(request: Request, caller: Reader, retrieve_id: str) -> Response:
    """Also of an item that is not finished yet: what was done so far, and what it waits for."""
    state = state_of(request)
    async with state.snapshot() as connection:
        batch, item = await results.locate(connection, state.secret, caller, retrieve_id)
        where = await whereabouts.of_item(connection, batch.id, item.ord)
        attempts = item.attempts or views.told(where.attempts, partial(ids.retrieve_id, state.secret))
        at, host = _where(item, attempts)
        rest = await whereabouts.rest_of_host(connection, host) if _asks(batch, item) else None
    view = _identity(batch, item, retrieve_id, in_hand=where.shard is not None and where.shard.state == "running")
    if item.state is ItemState.PENDING:
        view["waiting_for"] = waiting_for(batch, where, host, rest)
    view |= _ending(batch, item, attempts, at, host)
    if item.state is ItemState.SKIPPED:
        view |= views.reuse_view(attempts)
    view["attempts"] = _tries(attempts)
    view["finished_at"] = moment(ended) if (ended := where.finished_at or _taken_along(batch, item)) else None
    view["effective_options"] = _effective(batch, item, state.settings.attempt_timeout)
    view["timeline"] = timeline(batch, item, attempts, where.finished_at)
    return json_reply(view)


def _where(item: Item, attempts: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """The URL and the host at which an item is now; of a file its name, and no host."""
    if item.name is not None:
        return item.name, ""
    here = way(item.ref, attempts).url
    return here.href, here.host


def _tries(attempts: Sequence[dict[str, Any]]) -> int:
    return sum(record.get("code") not in (MOVED, SKIPPED) for record in attempts)


def _asks(batch: Batch, item: Item) -> bool:
    """Whether a host has yet to be asked for the page."""
    return item.state is ItemState.PENDING and batch.applied_to is None and item.file is None


def _identity(batch: Batch, item: Item, retrieve_id: str, *, in_hand: bool) -> dict[str, Any]:
    unsettled = "processing" if in_hand else "pending"
    return {
        "id": retrieve_id,
        "object": "explanation",
        "retrieve_id": retrieve_id,
        "batch_id": batch.public_id,
        "custom_id": item.custom_id,
        "url": item.ref,
        "status": unsettled if item.state is ItemState.PENDING else item.state.name.lower(),
        "waiting_for": None,
        **views.file_view(item),
    }


def _effective(batch: Batch, item: Item, timeout: float) -> dict[str, Any]:
    """What holds for the item, chosen or not. Headers are nobody's to see."""
    choices, links = Choices.of(batch.options).over(item.own, None), LinkOptions.of(item.options)
    parse = {"parse": batch.options["parse"]["parameters"]} if "parse" in batch.options else {}
    return {
        "robots": choices.robots,
        "on_blocked": choices.on_blocked,
        "country": choices.country,
        "parser": choices.parser or views.NO_PARSER,
        "content": choices.content,
        "timeout": choices.timeout or timeout,
        "links_on_page": links.to_json() if links else None,
        **parse,
    }


def _ending(batch: Batch, item: Item, attempts: list[dict[str, Any]], url: str, host: str) -> dict[str, Any]:
    """How it ended, null for what there is not."""
    tries = _tries(attempts)
    last = attempts[-1] if attempts else {}
    error = views.error_view(item) or {}
    told = remedy(item.failure, Case(url, host, item.http, tries, batch.public_id)) if item.failure and error else None
    return {
        "http_status": item.http,
        "final_url": last.get("final_url"),
        "code": error.get("code"),
        "message": error.get("message"),
        "retryable": error.get("retryable"),
        "remedy": told,
        "verdict": views.verdict_of(item),
    }


def _taken_along(batch: Batch, item: Item) -> Any:
    """When an item ended that its batch took along and that is not written yet; None if it has no end."""
    return None if item.state is ItemState.PENDING else batch.finished_at
