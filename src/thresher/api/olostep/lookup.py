"""The batch that a path names: the caller's own, or a refusal that gives nothing away; a purged one says what it was."""

from collections.abc import Iterable

from thresher.api.olostep.views import counts_view
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.states import BatchState
from thresher.storage import batches, lineage
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.lineage import Family


async def find_batch(connection: Connection, caller: Account, public_id: str) -> Batch:
    """Raises Problem: batch_not_found for an unknown or foreign id, batch_purged with the counts that it ended with."""
    batch = await find_even_purged(connection, caller, public_id)
    refuse_purged(batch)
    return batch


async def find_even_purged(connection: Connection, caller: Account, public_id: str) -> Batch:
    """Raises Problem(batch_not_found)."""
    # A path may hold anything, also what PostgreSQL refuses as text.
    batch = await batches.get(connection, caller.id, public_id) if ids.is_batch_id(public_id) else None
    if batch is None:
        raise Problem(ProblemCode.BATCH_NOT_FOUND, "Batch not found")
    return batch


async def find_earlier(connection: Connection, caller: Account, public_id: str | None) -> int | None:
    """The key of the batch that a create wants to be compared with, None for none.

    Raises Problem: validation_error if there is none (any more), batch_not_done.
    """
    if public_id is None:
        return None
    try:
        batch = await find_batch(connection, caller, public_id)
    except Problem as problem:
        error = {"loc": ["body", "compare_with"], "msg": problem.detail, "type": "batch"}
        raise Problem(ProblemCode.VALIDATION_ERROR, f"compare_with: {problem.detail}", errors=[error]) from None
    refuse_unwritten("The batch that compare_with names", [batch])
    return batch.id


async def find_done(connection: Connection, caller: Account, public_id: str, purpose: str) -> Batch:
    """A batch that is done. Raises Problem as `find_batch`, and batch_not_done, with what can be done then."""
    batch = await find_batch(connection, caller, public_id)
    if batch.state is not BatchState.DONE:
        raise Problem(ProblemCode.BATCH_NOT_DONE, f"This batch is {batch.state}; {purpose} when it is done.")
    return batch


async def find_family(connection: Connection, batch: Batch) -> Family:
    """The line of retries that a batch is of. Raises Problem: batch_not_done; batch_purged for the first batch of it."""
    family = await lineage.family(connection, batch)
    refuse_purged(family.first, "The batch that this line of retries began with")
    if family.first.state is not BatchState.DONE:
        raise Problem(ProblemCode.BATCH_NOT_DONE, "A batch has retries to be merged with when it is done.")
    return family


def refuse_unwritten(which: str, members: Iterable[Batch]) -> None:
    """Raises Problem(batch_not_done) if an item of them has no end, or one that is not written yet: that takes a minute."""
    for batch in members:
        if batch.state is not BatchState.DONE:
            raise Problem(ProblemCode.BATCH_NOT_DONE, f"{which} is {batch.state}; it can be compared when it is done.")
        if batch.numbered < batch.finished:
            detail = f"{which} was stopped, and the ends of its last items are being written; that takes a minute."
            raise Problem(ProblemCode.BATCH_NOT_DONE, detail, headers={"Retry-After": "5"})


def refuse_purged(batch: Batch, which: str = "This batch") -> None:
    """Raises Problem(batch_purged), the tombstone, if the batch is no more."""
    if batch.purged_at is None:
        return
    raise Problem(
        ProblemCode.BATCH_PURGED,
        f"{which} and its results were deleted on {batch.purged_at:%Y-%m-%d}.",
        members={
            "counts": counts_view(batch),
            "outcome": batch.outcome,
            "purged_at": int(batch.purged_at.timestamp()),
        },
    )
