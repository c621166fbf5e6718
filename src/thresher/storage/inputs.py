"""What there is for items that are files: their bytes, and the results that were made of the same ones already.

Found at the claim, for a batch may be submitted long before it runs. Knows nothing of how a file is read.
"""

from dataclasses import dataclass
from datetime import timedelta

from thresher.domain.parse import ParseJob
from thresher.storage.database import Connection
from thresher.storage.shards import Claim

_LATEST = 100  # results of the same bytes among which one that was asked for alike is looked for

# Of the items $2 of the batch $1: where their bytes are, null if the file was deleted or its time is over; and the latest item
# that was completed with the same bytes, under a name that ends alike (which may tell what they are) and with parameters of
# the same hash $3: of this account, for bytes are one account's. What was made anew from stored pages is left out: it may have
# been read in another way; and so is what has less than half of its time $4 left, for the results of a new batch must not go with
# those of an old one. One after the other (OFFSET 0), so that no plan looks at more than these, as in storage/pages.py.
_FOUND = f"""
SELECT w.ord, c.key, c.size, c.sha256, t.batch_id AS twin_batch, t.ord AS twin_ord, t.digest
FROM unnest($2::int[]) AS u (ord)
CROSS JOIN LATERAL (SELECT * FROM item WHERE batch_id = $1 AND ord = u.ord OFFSET 0) w
LEFT JOIN LATERAL (
    SELECT c.key, c.size, c.sha256 FROM file f JOIN content c ON c.id = w.content_id
    WHERE f.id = w.file_id AND c.dropped_at IS NULL AND (f.expires_at IS NULL OR f.expires_at > now())
    OFFSET 0) c ON true
LEFT JOIN LATERAL (
    SELECT i.batch_id, i.ord, i.digest FROM (
        SELECT batch_id, ord, name, digest FROM item WHERE content_id = w.content_id AND state = 1 AND $3::text IS NOT NULL
        ORDER BY batch_id DESC LIMIT {_LATEST}) i
    CROSS JOIN LATERAL (
        SELECT FROM batch o JOIN batch_progress g ON g.batch_id = o.id
        WHERE o.id = i.batch_id AND o.applied_to IS NULL AND g.purged_at IS NULL AND (g.finished_at IS NULL OR g.finished_at > now() - $4::interval / 2)
          AND o.options #>> ARRAY['parse', 'hash'] = $3
        OFFSET 0) o
    WHERE lower(substring(i.name FROM '[^.]*$')) = lower(substring(w.name FROM '[^.]*$'))
    ORDER BY i.batch_id DESC, i.ord LIMIT 1) t ON true
"""


@dataclass(frozen=True, slots=True)
class Bytes:
    """The bytes of a file: the object that holds them, how many they are, and their SHA-256."""

    key: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Twin:
    """An item that has the result of another: its batch and its place there, and what is compared of it."""

    batch: int
    ord: int
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class Input:
    """What there is for an item: `bytes`, None if they are gone; `twin`, an item that has its result already."""

    bytes: Bytes | None
    twin: Twin | None = None


async def find(connection: Connection, claim: Claim, retention: timedelta) -> dict[int, Input]:
    """What there is for the items of a claim that are files, by the items' positions; results are kept for `retention`."""
    ords = [item.ord for item in claim.items if item.file]
    if not ords:
        return {}
    rows = await connection.fetch(_FOUND, claim.batch, ords, _wanted(claim), retention)
    return {
        row["ord"]: Input(
            None if row["key"] is None else Bytes(row["key"], row["size"], row["sha256"]),
            None if row["twin_batch"] is None else Twin(row["twin_batch"], row["twin_ord"], row["digest"]),
        )
        for row in rows
    }


def _wanted(claim: Claim) -> str | None:
    """By what a result that there is already is known to be the one that is asked for; None if each is to be made anew."""
    if claim.applied or "parse" not in claim.options:
        return None
    job = ParseJob.of(claim.options)
    return job.hash if job.cached else None
