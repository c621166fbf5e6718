"""The states of batches, items and shards, and every move between them.

Each state is commented with who moves it on. The SQL CHECK constraints, the chart in
docs/states.md and these tables agree by test. Nothing here knows how a state is stored.
"""

from enum import IntEnum, StrEnum


class BatchState(StrEnum):
    """Where a batch is in its life."""

    OPEN = "open"  # items are still being appended; the caller starts it
    RUNNING = "running"  # workers settle items; the settle of the last one ends it
    STOPPING = (
        "stopping"  # cancelled or expired, claimed shards are winding down; the last to end (or the reconciler) ends it
    )
    DONE = "done"  # nothing moves any more; the janitor purges it


class Outcome(StrEnum):
    """What a batch came to. Set with the first move towards done, never changed."""

    ALL_OK = "all_ok"
    PARTIAL = "partial"
    ALL_FAILED = "all_failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ItemState(IntEnum):
    """The stored state of an item. `processing` is not stored: an unsettled item of a claimed shard is processing."""

    PENDING = 0  # nothing has settled it; a settle, a cancel or a deadline will
    COMPLETED = 1  # it has a result
    FAILED = 2  # it has a failure code
    SKIPPED = 3  # there was nothing to do
    CANCELLED = 4  # the batch was cancelled before it was done


class JobStatus(StrEnum):
    """What the parse API calls the state of a batch."""

    PENDING = "pending"
    RUNNING = "running"  # from the first item that is taken in hand on
    COMPLETED = "completed"  # every item has an end, be it a failure
    FAILED = "failed"  # its time was over before that
    CANCELLED = "cancelled"  # from the request on: nothing that is pending is begun any more

    @classmethod
    def of(cls, state: BatchState, outcome: Outcome | None, *, begun: bool) -> "JobStatus":
        if state in (BatchState.OPEN, BatchState.RUNNING):
            return cls.RUNNING if begun else cls.PENDING
        ends = {Outcome.CANCELLED: cls.CANCELLED, Outcome.EXPIRED: cls.FAILED}
        return ends.get(outcome, cls.COMPLETED) if outcome else cls.COMPLETED


class ItemStatus(StrEnum):
    """What the parse API calls the state of an item."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class SkipReason(StrEnum):
    """Why there was nothing to do for an item of the parse API; stored as its detail."""

    ALREADY_PROCESSED = "already_processed"  # the account has a result of the same bytes with the same parameters
    SIZE_LIMIT_EXCEEDED = "size_limit_exceeded"


class ShardState(StrEnum):
    """Where a shard (a slice of work on one politeness bucket) is. An ended shard is deleted."""

    WAITING = "waiting"  # its bucket is taken; the shard that ends there promotes it
    QUEUED = "queued"  # it has a queue entry, perhaps a delayed one; a worker claims it
    RUNNING = "running"  # a worker holds it and its bucket; that worker, or the one that takes over, ends it


BATCH_MOVES: dict[BatchState, frozenset[BatchState]] = {
    BatchState.OPEN: frozenset({BatchState.RUNNING, BatchState.DONE}),
    BatchState.RUNNING: frozenset({BatchState.STOPPING, BatchState.DONE}),
    BatchState.STOPPING: frozenset({BatchState.DONE}),
    BatchState.DONE: frozenset(),
}

ITEM_MOVES: dict[ItemState, frozenset[ItemState]] = {
    ItemState.PENDING: frozenset({ItemState.COMPLETED, ItemState.FAILED, ItemState.SKIPPED, ItemState.CANCELLED}),
    ItemState.COMPLETED: frozenset(),
    ItemState.FAILED: frozenset(),
    ItemState.SKIPPED: frozenset(),
    ItemState.CANCELLED: frozenset(),
}

SHARD_MOVES: dict[ShardState, frozenset[ShardState]] = {
    ShardState.WAITING: frozenset({ShardState.QUEUED}),
    ShardState.QUEUED: frozenset({ShardState.RUNNING, ShardState.WAITING}),
    ShardState.RUNNING: frozenset({ShardState.RUNNING}),  # a takeover: the same state under a new lease
}


def outcome_of(total: int, completed: int, skipped: int) -> Outcome:
    """The outcome of a batch that ran to its end: of `total` items so many have a result, and so many needed none."""
    if completed + skipped == total:
        return Outcome.ALL_OK
    return Outcome.PARTIAL if completed + skipped else Outcome.ALL_FAILED


def overlay_of(outcome: Outcome) -> ItemState:
    """How the items still unsettled when a batch stops are to be read.

    A cancelled batch's are cancelled; an expired one's failed, with the code `deadline`, so that a client
    that knows only completed and failed sees them. The reconciler writes it into the rows later.
    """
    return ItemState.CANCELLED if outcome is Outcome.CANCELLED else ItemState.FAILED
