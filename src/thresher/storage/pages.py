"""Stored pages that may be used again: of the same URL, or of the item that another was made of.

What is found may be gone from the store by the time it is read; then there was none. Knows nothing of what a page holds.
"""

from dataclasses import dataclass

from thresher.storage.blobs import Span
from thresher.storage.database import Connection
from thresher.storage.shards import Claim

_LATEST = 100  # stored pages of a URL, whoever's, among which one of the account is looked for

_FOUND = "w.ord AS wanted, p.batch_id, p.ord, k.key, p.off, p.len"
_WANTED = "FROM unnest($2::int[]) AS u (ord) JOIN item w ON w.batch_id = $1 AND w.ord = u.ord"

# The pages of the items that these were made of, but of batches that are purged.
_APPLIED = f"""
SELECT {_FOUND} {_WANTED}
JOIN item p ON p.batch_id = w.body_batch AND p.ord = w.body_ord
JOIN pack k ON k.id = p.pack_id
JOIN batch_progress g ON g.batch_id = p.batch_id AND g.purged_at IS NULL
"""

# For each of these items the page that the batch has of its URL already. URLs are compared as they are written.
_OF_BATCH = f"""
SELECT {_FOUND} {_WANTED} AND w.headers IS NULL
CROSS JOIN LATERAL (
    SELECT * FROM item p WHERE hashtextextended(p.ref, 0) = hashtextextended(w.ref, 0) AND p.batch_id = $1
        AND p.state = 1 AND p.headers IS NULL AND p.ref = w.ref
    LIMIT 1) p
JOIN pack k ON k.id = p.pack_id
"""

# For each of these items the latest page of its URL that the account has, asked for from the same country ($3) and without
# headers. What was made of stored pages is left out: its own page may have been fetched with headers.
_OF_ACCOUNT = f"""
SELECT {_FOUND} {_WANTED} AND w.headers IS NULL
CROSS JOIN LATERAL (
    SELECT p.* FROM (
        SELECT * FROM item p WHERE hashtextextended(p.ref, 0) = hashtextextended(w.ref, 0) AND p.state = 1
            AND p.headers IS NULL
        ORDER BY p.batch_id DESC LIMIT {_LATEST}) p
    JOIN batch o ON o.id = p.batch_id JOIN batch_progress g ON g.batch_id = p.batch_id
    WHERE p.ref = w.ref AND o.account_id = (SELECT account_id FROM batch WHERE id = $1) AND o.headers IS NULL
      AND o.applied_to IS NULL AND g.purged_at IS NULL AND o.options->>'country' IS NOT DISTINCT FROM $3
    ORDER BY p.batch_id DESC LIMIT 1) p
JOIN pack k ON k.id = p.pack_id
"""


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
