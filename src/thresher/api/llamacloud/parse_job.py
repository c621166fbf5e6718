"""A parse job: one item of a batch of the parse API, found by its id, with what there is to be read of it.

An item that was skipped because its result was there already has that one; to whoever asks for it, it is completed.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Request

from thresher.api.llamacloud.project import Reader
from thresher.api.olostep.lookup import refuse_purged
from thresher.api.olostep.results import Result
from thresher.api.state import State, state_of
from thresher.domain import ids
from thresher.domain.documents import ERROR_CODES
from thresher.domain.parse import ParseJob
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import ItemState, Outcome, SkipReason
from thresher.storage import batches, items, whereabouts
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.items import Item

Status = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]


@dataclass(frozen=True, slots=True)
class Job:
    """`result`: where what was made of it is to be read; None if it is not completed, or if that is gone."""

    id: str
    batch: Batch
    item: Item
    status: Status
    result: Result | None = None

    @property
    def cached(self) -> bool:
        """Whether its result is that of an earlier job."""
        return self.item.state is ItemState.SKIPPED and self.status == "COMPLETED"

    @property
    def asked(self) -> ParseJob:
        return ParseJob.of(self.batch.options)


async def find(state: State, caller: Account, job_id: str) -> Job:
    """Raises Problem: parse_job_not_found for an id that is unknown or foreign, batch_purged."""
    place = ids.read_parse_job_id(state.secret, job_id)
    if place is None:
        raise not_found()
    async with state.snapshot() as connection:
        batch, item = await _locate(connection, caller, place)
        in_hand = False
        if item.state is ItemState.PENDING:
            shard = (await whereabouts.of_item(connection, batch.id, item.ord)).shard
            in_hand = shard is not None and shard.state == "running"
        source = await _source(connection, caller, batch, item)
    result = None
    if source:
        result = Result(ids.retrieve_id(state.secret, source[0].id, source[1].ord), caller, *source)
    return Job(job_id, batch, item, status_of(batch, item, in_hand=in_hand), result)


async def _named(request: Request, caller: Reader, parse_job_id: str) -> Job:
    return await find(state_of(request), caller, parse_job_id)


Found = Annotated[Job, Depends(_named)]  # the job that a path names


async def _locate(connection: Connection, caller: Account, place: tuple[int, int]) -> tuple[Batch, Item]:
    batch = await batches.get_by_key(connection, caller.id, place[0])
    if batch is None or "parse" not in batch.options:
        raise not_found()
    refuse_purged(batch, "The batch of this parse job")
    item = await items.get(connection, batch, place[1])
    if item is None:
        raise not_found()
    return batch, item


async def _source(connection: Connection, caller: Account, batch: Batch, item: Item) -> tuple[Batch, Item] | None:
    """The item that has the result, and its batch."""
    if item.state is ItemState.COMPLETED:
        return batch, item
    if item.state is not ItemState.SKIPPED or item.body is None:
        return None
    earlier = await batches.get_by_key(connection, caller.id, item.body[0])
    if earlier is None or earlier.purged_at is not None:
        return None
    found = await items.get(connection, earlier, item.body[1])
    return (earlier, found) if found else None


def status_of(batch: Batch, item: Item, *, in_hand: bool) -> Status:
    """`in_hand`: whether a worker is at it."""
    match item.state:
        case ItemState.COMPLETED:
            return "COMPLETED"
        case ItemState.SKIPPED:
            return "COMPLETED" if item.detail == SkipReason.ALREADY_PROCESSED else "FAILED"
        case ItemState.FAILED:
            return "FAILED"
        case ItemState.CANCELLED:
            return "CANCELLED"
    if in_hand:
        return "RUNNING"
    return "CANCELLED" if batch.outcome is Outcome.CANCELLED else "PENDING"


def error_code(item: Item) -> str | None:
    """The code of the parse API for why there is no result, or else ours, None if there is nothing to tell."""
    if item.state is ItemState.SKIPPED and item.detail == SkipReason.SIZE_LIMIT_EXCEEDED:
        return "DOCUMENT_TOO_LARGE"
    if item.failure is None or item.state not in (ItemState.FAILED, ItemState.CANCELLED):
        return None
    return ERROR_CODES.get(item.failure, item.failure.value)


def error_message(item: Item) -> str | None:
    """The code, and what it means here."""
    code = error_code(item)
    return f"{code}: {item.detail}" if code and item.detail else code


def view(job: Job, caller: Account) -> dict[str, Any]:
    """The job itself, without what was made."""
    item, batch = job.item, job.batch
    return {
        "id": job.id,
        "project_id": str(caller.project),
        "status": job.status,
        "created_at": batch.created_at,
        "updated_at": item.finished_at or batch.created_at,
        "error_message": error_message(item) if job.status != "COMPLETED" else None,
        "name": item.name or item.ref,
        "tier": job.asked.parameters.get("tier"),
        "user_metadata": batch.metadata or None,
    }


def result_of(job: Job) -> Result:
    """Where to read what was made. Raises Problem(parse_job_not_found), in the words that clients know."""
    if job.result is not None:
        return job.result
    if job.status in ("PENDING", "RUNNING"):
        raise not_found("Result not found. Check job status to see if it has completed.")
    if job.status == "COMPLETED":
        raise not_found(
            "Result not found. It was that of an earlier job, which has been deleted since: parse it again."
        )
    said = f": {error_message(job.item)}" if job.status == "FAILED" else ""
    raise not_found(f"Result not found. The job is {job.status}{said}")


def not_found(detail: str = "Parse job not found") -> Problem:
    return Problem(ProblemCode.PARSE_JOB_NOT_FOUND, detail)
