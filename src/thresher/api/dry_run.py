"""POST /v1/parsers/dry-run: a parser tried on a page, and what became of each field. Nothing of it is kept.

The page is in the request, or it is fetched as any other: by a batch of one, whose stored page is read here.
"""

import asyncio
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from thresher.api import parser_schemas as schemas
from thresher.api.auth import Writer
from thresher.api.definitions import Trial, read_trial
from thresher.api.olostep import results
from thresher.api.olostep.parser_choice import resolve
from thresher.api.openapi import BODY_PROBLEMS, PROBLEMS, json_body, problems
from thresher.api.parsers import EXAMPLE
from thresher.api.reply import json_reply
from thresher.api.state import State, state_of
from thresher.api.watch import Watch, watch_of
from thresher.api.workbench import Workbench, workbench_of
from thresher.convert.document import How, Source
from thresher.convert.frame import Frame
from thresher.domain import ids, parser_name, url
from thresher.domain.failure import FailureCode, ItemFailed, failure_view
from thresher.domain.states import ItemState, Outcome
from thresher.domain.url import Url
from thresher.storage import batches, submit
from thresher.storage import parsers as declared
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch
from thresher.storage.submit import NewBatch, NewItem

router = APIRouter(prefix="/v1", tags=["parsers"], responses=PROBLEMS)

SECONDS = 60.0  # for a page to be fetched
SOURCE = "dry_run"
_LATE = (FailureCode.DEADLINE, f"The page was not fetched within {SECONDS:g} s.")
_NOWHERE = "https://example.com/"
_TYPE = "text/html; charset=utf-8"


@router.post(
    "/parsers/dry-run",
    response_model=schemas.TrialResultModel,
    responses=problems(*BODY_PROBLEMS, 402),
    openapi_extra=json_body(
        schemas.TrialModel,
        html={"definition": EXAMPLE, "html": "<h1>A lamp</h1><p class=price>19.90 €</p>"},
        url={"parser": "@thresher/article", "url": "https://example.com/"},
    ),
    summary="Try a parser on a page",
)
async def try_parser(request: Request, caller: Writer) -> Response:
    """On HTML it costs nothing. A page that is fetched costs what an item costs, and takes a minute at most."""
    state, bench = state_of(request), workbench_of(request)
    trial = await state.parse(read_trial, await request.body())
    how = await _how(state, caller, trial)
    if trial.html is not None:
        where = trial.url.href if trial.url else _NOWHERE
        return json_reply(await _tried(bench, Source(where, trial.html.encode(), _TYPE), how))
    if trial.url is None:  # one of the two is there
        raise ValueError("nothing to try on")
    return json_reply(await _fetched(state, watch_of(request), bench, caller, trial.url, how))


async def _how(state: State, caller: Account, trial: Trial) -> How:
    """Raises Problem(validation_error) for a parser that the account does not have."""
    if trial.parser is None or (reference := parser_name.read(trial.parser)) is None:
        return How(trial.parser, definition=trial.definition)
    chosen = {"parser": trial.parser}
    async with state.connection() as connection:
        await resolve(connection, caller.id, chosen)
        versions = await declared.versions(connection, caller.id, reference.name)
    found = {one.id: one.definition for one in versions}
    return How(chosen["parser"], definition=found.get(chosen["parser"]))


async def _tried(bench: Workbench, source: Source, how: How) -> dict[str, Any]:
    try:
        made = await bench.convert(source, how)
    except ItemFailed as failed:
        return _view(source.url, failure_view(failed.failure.code, failed.failure.detail))
    matches, unparsed = made.facts["matches"], made.facts["unparsed"]
    if unparsed:
        return _view(source.url, failure_view(FailureCode(unparsed["code"]), unparsed["detail"]), matches)
    return _view(source.url, None, matches) | {"data": orjson.loads(Frame.parse(made.frame).json(0) or "null")}


async def _fetched(
    state: State, watch: Watch, bench: Workbench, caller: Account, where: Url, how: How
) -> dict[str, Any]:
    batch = await _batch_of_one(state, caller, where)
    beside = {"batch_id": batch.public_id}
    await watch.moved(batch, SECONDS, only_done=True)
    async with state.connection() as connection:
        await batches.stop(connection, batch.id, Outcome.CANCELLED)  # which does nothing to one that is done
    retrieve_id = ids.retrieve_id(state.secret, batch.id, 0)
    async with state.snapshot() as connection:
        batch, item = await results.locate(connection, state.secret, caller, retrieve_id)
    if item.state is not ItemState.COMPLETED:
        failed = (item.failure, item.detail) if item.state is ItemState.FAILED and item.failure else _LATE
        return _view(where.href, failure_view(*failed)) | beside
    async with results.opened(state, results.Result(retrieve_id, caller, batch, item)) as frame:
        source = await asyncio.to_thread(frame.source)
    return await _tried(bench, source, how) | beside  # not in there: whoever reads results would wait for the converter


async def _batch_of_one(state: State, caller: Account, where: Url) -> Batch:
    """Raises Problem(credits_exhausted)."""
    new = NewBatch(
        account=caller.id,
        face="olostep",
        items=[NewItem(where.href, url.bucket(where.host), SOURCE)],
        lifetime=min(SECONDS, state.settings.batch_timeout),
        shard_size=state.settings.shard_size,
        options={},
        metadata={},
        source=SOURCE,
    )
    async with state.submitting(caller) as connection:
        return await submit.create(connection, new)


def _view(where: str, error: dict[str, Any] | None, matches: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    answer = {"object": "parser.dry_run", "ok": error is None, "url": where, "data": None}
    return answer | {"error": error, "matches": matches or []}
