"""What was sent to webhooks, and sending it again: by batch, by event, or all that did not arrive. Delivering is the workers' work."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from thresher.api.auth import Reader, Writer
from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.olostep import bodies, queries
from thresher.api.olostep import webhook_schemas as schemas
from thresher.api.olostep.followups import read_recover, read_test
from thresher.api.olostep.lookup import find_batch
from thresher.api.openapi import BODY_PROBLEMS, PROBLEMS, integer, json_body, problems
from thresher.api.reply import json_reply
from thresher.api.state import state_of
from thresher.domain import webhook
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage import outbox, signing
from thresher.storage.accounts import Account
from thresher.storage.database import Connection
from thresher.storage.outbox import Attempt, Event

router = APIRouter(prefix="/v1", tags=["webhooks"], responses=PROBLEMS)

_EVENT_ID = re.compile(r"event_[a-z0-9]{1,40}")

# A POST under an Idempotency-Key.
_KEYED = problems(409, 422)


@router.get(
    "/batches/{batch_id}/deliveries",
    response_model=schemas.Deliveries,
    responses=problems(400, 404, 410),
    summary="What was sent to a batch's webhook",
)
async def deliveries(
    request: Request,
    caller: Reader,
    batch_id: str,
    cursor: Annotated[str | None, Query(description="From the previous page; absent: the newest."), integer(0)] = None,
    limit: Annotated[str | None, Query(description="50 when absent, 100 at most."), integer(1)] = None,
) -> Response:
    before, most = queries.read_deliveries_query(request.query_params)
    async with state_of(request).snapshot() as connection:
        batch = await find_batch(connection, caller, batch_id)
        found = await outbox.of_batch(connection, batch.id, before, most + 1)
    view = {"object": "list", "batch_id": batch.public_id, "data": [_view(event) for event in found[:most]]}
    return json_reply(view | ({"cursor": found[most - 1].seq} if len(found) > most else {}))


@router.post(
    "/batches/{batch_id}/deliveries/{event_id}/resend",
    response_model=schemas.Event,
    responses=problems(400, 404, 410) | _KEYED,
    summary="Deliver an event again",
)
async def resend(
    request: Request, caller: Writer, batch_id: str, event_id: str, key: IdempotencyKey = None
) -> Response:
    """From the first attempt on, whatever became of it, under the same id."""

    async def read() -> None:
        pass

    async def write(connection: Connection, _: None) -> Response:
        batch = await find_batch(connection, caller, batch_id)
        known = _EVENT_ID.fullmatch(event_id) is not None
        if not known or not await outbox.resend(connection, caller.id, batch.id, event_id):
            raise _unknown()
        return json_reply(_view(await _find(connection, caller, event_id)))

    return await once(request, caller, key, read, write)


@router.get(
    "/webhooks/events/{event_id}",
    response_model=schemas.Event,
    responses=problems(404),
    summary="An event, and every attempt to deliver it",
)
async def event(request: Request, caller: Reader, event_id: str) -> Response:
    async with state_of(request).snapshot() as connection:
        return json_reply(_view(await _find(connection, caller, event_id)))


@router.post(
    "/webhooks/test",
    response_model=schemas.Event,
    responses=problems(*BODY_PROBLEMS, 409, 422),
    openapi_extra=json_body(bodies.TryWebhook, one={"webhook": "https://hooks.example.com/thresher"}),
    summary="Send a test event",
)
async def try_webhook(request: Request, caller: Writer, key: IdempotencyKey = None) -> Response:
    """One attempt is made at it, by a worker, at once; the event says what came of it."""
    state = state_of(request)

    async def read() -> str:
        return await state.parse(read_test, await request.body())

    async def write(connection: Connection, url: str) -> Response:
        body = {"object": "test", "message": "If you can read this, the webhook works."}
        return json_reply(_view(await outbox.test(connection, caller.id, url, body)))

    return await once(request, caller, key, read, write)


@router.post(
    "/webhooks/recover",
    response_model=schemas.Recovered,
    responses=problems(*BODY_PROBLEMS, 409, 422),
    openapi_extra=json_body(bodies.Recover, one={"since": 1_790_000_000}),
    summary="Deliver again what did not arrive",
)
async def recover(request: Request, caller: Writer, key: IdempotencyKey = None) -> Response:
    """Every event since then that was given up, or answered with 410, is attempted again from the start."""
    state = state_of(request)

    async def read() -> datetime:
        seconds = await state.parse(read_recover, await request.body())
        return datetime.fromtimestamp(seconds, UTC)

    async def write(connection: Connection, since: datetime) -> Response:
        found = await outbox.recover(connection, caller.id, since)
        return json_reply({"object": "recovery", "recovered": found})

    return await once(request, caller, key, read, write)


@router.post(
    "/webhooks/rotate",
    response_model=schemas.Secret,
    responses=problems(400) | _KEYED,
    summary="A new secret for signatures",
)
async def rotate(request: Request, caller: Writer, key: IdempotencyKey = None) -> Response:
    """It is shown only now. The one before it goes on signing beside it for 24 hours; one that was older ends at once."""

    async def read() -> None:
        pass

    async def write(connection: Connection, _: None) -> Response:
        secret = await signing.rotate(connection, caller.id)
        until = int(time.time() + signing.OVERLAP.total_seconds())
        return json_reply({"object": "webhook_secret", "secret": webhook.spelled(secret), "previous_until": until})

    return await once(request, caller, key, read, write)


async def _find(connection: Connection, caller: Account, event_id: str) -> Event:
    found = await outbox.get(connection, caller.id, event_id) if _EVENT_ID.fullmatch(event_id) else None
    if found is None:
        raise _unknown()
    return found


def _unknown() -> Problem:
    return Problem(ProblemCode.EVENT_NOT_FOUND, "Event not found")


def _view(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "object": "event",
        "type": event.type,
        "url": event.url,
        "state": event.state,
        "created": int(event.created_at.timestamp()),
        "next_attempt": _seconds(event.due_at) if event.due_at else None,
        "attempts": [_attempt_view(attempt) for attempt in event.attempts],
    }


def _attempt_view(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt": attempt.attempt,
        "at": _seconds(attempt.at),
        "ms": attempt.ms,
        "status": attempt.status,
        "response": attempt.head,
        "error": {"code": attempt.failure, "message": attempt.detail} if attempt.failure else None,
    }


def _seconds(moment: datetime) -> float:
    return round(moment.timestamp(), 3)
