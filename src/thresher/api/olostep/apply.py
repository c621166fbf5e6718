"""POST /v1/batches/{id}/apply: the stored pages of a batch, read in another way, in a new batch."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from thresher.api.auth import Writer
from thresher.api.idempotency import IdempotencyKey, once
from thresher.api.olostep import bodies, schemas, views
from thresher.api.olostep.followups import ApplyBatch, read_apply
from thresher.api.olostep.lookup import find_batch, find_done
from thresher.api.olostep.parser_choice import resolve
from thresher.api.openapi import BODY_PROBLEMS, PROBLEMS, json_body, problems
from thresher.api.reply import json_reply
from thresher.api.state import state_of
from thresher.domain import credit, metadata
from thresher.domain.problem import Problem, ProblemCode
from thresher.settings import Settings
from thresher.storage import applying
from thresher.storage.applying import Anew
from thresher.storage.batches import Batch
from thresher.storage.database import Connection

_PURPOSE = "its pages can be read in another way"

router = APIRouter(prefix="/v1", tags=["batches"], responses=PROBLEMS)


@router.post(
    "/batches/{batch_id}/apply",
    response_model=schemas.Applied,
    responses=problems(*BODY_PROBLEMS, 402, 404, 409, 410, 422),
    openapi_extra=json_body(
        bodies.Apply, needed=False, parser={"parser": "@thresher/article"}, content={"content": "main"}
    ),
    summary="Read the stored pages of a batch in another way",
)
async def apply_batch(request: Request, caller: Writer, batch_id: str, key: IdempotencyKey = None) -> Response:
    """A new batch of the items of one that is done whose pages are stored, failed ones too. No page is fetched for it."""
    state = state_of(request)

    async def read() -> ApplyBatch:
        async with state.connection() as connection:
            await find_done(connection, caller, batch_id, _PURPOSE)  # else nothing of the body need be read
        return await state.parse(read_apply, await request.body())

    async def write(connection: Connection, wanted: ApplyBatch) -> Response:
        batch = await find_done(connection, caller, batch_id, _PURPOSE)
        await resolve(connection, caller.id, wanted.choices)
        try:
            made = await applying.apply(connection, batch, _anew(batch, wanted, state.settings))
        except applying.NothingStored:
            await find_batch(connection, caller, batch_id)  # if it was purged since, this says so
            detail = f"There is nothing to read: of none of the {batch.total} items of the batch a page is stored."
            raise Problem(ProblemCode.NOTHING_STORED, detail) from None
        view = views.batch_view(made, state.settings.usd_per_credit)
        return json_reply(view | {"without_page": batch.total - made.total})

    return await once(request, caller, key, read, write)


def _anew(batch: Batch, wanted: ApplyBatch, settings: Settings) -> Anew:
    """A choice that is made anew is made for every item: what an item chose for itself there counts no more."""
    of_no_use = {"max_age", "webhook_only_changes"}  # nothing is asked for, and nothing compared
    options = {
        name: value
        for name, value in (batch.options | wanted.choices).items()
        if value is not None and name not in of_no_use
    }
    return Anew(
        options,
        [*wanted.choices],
        credit.price(options) if "parser" in wanted.choices else None,
        metadata.merged(batch.metadata, wanted.metadata, "metadata"),
        wanted.webhook or batch.webhook,
        settings.batch_timeout,
        settings.shard_size,
    )
