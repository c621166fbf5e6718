"""Stored pages that may be used again: of the same URL, or of the item that another was made of.

What is found may be gone from the store by the time it is read; then there was none. Knows nothing of what a page holds.
"""

from dataclasses import dataclass

from thresher.storage.blobs import Span
from thresher.storage.database import Connection
from thresher.storage.shards import Claim

_LATEST = 100  # stored pages of a URL, whoever's, among which one of the account is looked for

# The items $2 of the batch $1, each with what is found for it, and then the pack of that. One after the other (OFFSET 0), so that no
# plan looks at more than these: of a batch that was just copied in the planner knows nothing, takes it for a handful of rows,
# and would look for the page of each item that it has.
_FOUND = """
SELECT u.ord AS wanted, p.batch_id, p.ord, k.key, p.off, p.len
FROM unnest($2::int[]) AS u (ord)
CROSS JOIN LATERAL (SELECT * FROM item WHERE batch_id = $1 AND ord = u.ord OFFSET 0) w
CROSS JOIN LATERAL ({} OFFSET 0) p
CROSS JOIN LATERAL (SELECT key FROM pack WHERE id = p.pack_id OFFSET 0) k
"""

# The pages of the items that these were made of, but of batches that are purged.
_APPLIED = _FOUND.format("""
    SELECT i.* FROM item i JOIN batch_progress g ON g.batch_id = i.batch_id
    WHERE i.batch_id = w.body_batch AND i.ord = w.body_ord AND g.purged_at IS NULL
""")

# For each of these items the page that the batch has of its URL already. URLs are compared as they are written.
_OF_BATCH = _FOUND.format("""
    SELECT * FROM item i WHERE hashtextextended(i.ref, 0) = hashtextextended(w.ref, 0) AND i.batch_id = $1
        AND i.state = 1 AND i.headers IS NULL AND i.ref = w.ref AND w.headers IS NULL
    LIMIT 1
""")

# For each of these items the latest page of its URL that the account has, asked for from the same country ($3) and without
# headers. What was made of stored pages is left out: its own page may have been fetched with headers.
_OF_ACCOUNT = _FOUND.format(f"""
    SELECT i.* FROM (
        SELECT * FROM item WHERE hashtextextended(ref, 0) = hashtextextended(w.ref, 0) AND state = 1 AND headers IS NULL
        ORDER BY batch_id DESC LIMIT {_LATEST}) i
    CROSS JOIN LATERAL (
        SELECT FROM batch o JOIN batch_progress g ON g.batch_id = o.id
        WHERE o.id = i.batch_id AND o.account_id = (SELECT account_id FROM batch WHERE id = $1) AND o.headers IS NULL
          AND o.applied_to IS NULL AND g.purged_at IS NULL AND o.options->>'country' IS NOT DISTINCT FROM $3
        OFFSET 0) o
    WHERE i.ref = w.ref AND w.headers IS NULL
    ORDER BY i.batch_id DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Page:
    """A stored page: the item that it is of, and where its frame lies."""

    batch: int
    ord: int
    span: Span


async def find(connection: Connection, claim: Claim) -> dict[int, Page]:
    """The stored pages that items of a claim may be given, by the items' positions.

    Those of an applied batch; else of the batch itself and, if it has a `max_age`, of its account's batches. A page that was
    asked for with headers is given to no other item.
    """
    ords = [item.ord for item in claim.items]
    if claim.applied:
        rows = await connection.fetch(_APPLIED, claim.batch, ords)
    elif claim.headers:
        return {}
    elif "max_age" in claim.options:
        rows = await connection.fetch(_OF_ACCOUNT, claim.batch, ords, claim.options.get("country"))
    elif claim.seen:
        rows = await connection.fetch(_OF_BATCH, claim.batch, ords)
    else:
        return {}
    return {row["wanted"]: Page(row["batch_id"], row["ord"], Span(row["key"], row["off"], row["len"])) for row in rows}
