"""The laws of storage, asked of the rows: what must hold after every transaction, whatever came before.

Each law is a query that returns the rows that break it. `Memory` adds what one look cannot see: that the past stays.
"""

from thresher.storage.database import Connection

_ROWS = """
SELECT batch_id, count(*) AS total, count(*) FILTER (WHERE state = 0) AS pending,
       count(*) FILTER (WHERE state = 1) AS completed, count(*) FILTER (WHERE state = 2) AS failed,
       count(*) FILTER (WHERE state = 3) AS skipped, count(*) FILTER (WHERE state = 4) AS cancelled,
       count(finish_seq) AS numbered, coalesce(max(finish_seq), 0) AS highest, sum(billed) AS billed
FROM item GROUP BY batch_id
"""

LAWS = {
    "the counters are the rows, and what is not written yet counts as the overlay": f"""
        SELECT * FROM batch_progress p JOIN ({_ROWS}) r ON r.batch_id = p.batch_id
        WHERE p.purged_at IS NULL AND (p.total <> r.total OR p.numbered <> r.numbered OR r.numbered <> r.highest
           OR p.billed <> r.billed OR p.completed <> r.completed OR p.skipped <> r.skipped
           OR p.failed <> r.failed
              + CASE WHEN p.state = 'done' AND p.outcome <> 'cancelled' THEN r.pending ELSE 0 END
           OR p.cancelled <> r.cancelled
              + CASE WHEN p.state = 'done' AND p.outcome = 'cancelled' THEN r.pending ELSE 0 END)""",
    "what a parser made of its pages is counted with its items": """
        SELECT p.batch_id FROM batch_progress p JOIN (
            SELECT i.batch_id,
                   count(*) FILTER (WHERE i.state = 1 AND
                       CASE WHEN i.options ? 'parser' THEN i.options->>'parser' ELSE b.options->>'parser' END IS NOT NULL) AS parsed,
                   count(*) FILTER (WHERE i.failure = 'parser_no_match') AS unmatched,
                   count(*) FILTER (WHERE i.failure = 'parser_failed') AS unparsed
            FROM item i JOIN batch b ON b.id = i.batch_id GROUP BY i.batch_id) r ON r.batch_id = p.batch_id
        WHERE p.purged_at IS NULL AND (p.parsed, p.unmatched, p.unparsed) <> (r.parsed, r.unmatched, r.unparsed)""",
    "of an erased batch nothing is left but its tombstone": """
        SELECT p.batch_id FROM batch_progress p WHERE p.erased_at IS NOT NULL
           AND (EXISTS (SELECT FROM item i WHERE i.batch_id = p.batch_id)
                OR EXISTS (SELECT FROM pack k WHERE k.batch_id = p.batch_id)
                OR EXISTS (SELECT FROM batch b WHERE b.id = p.batch_id AND b.headers IS NOT NULL))""",
    "the states add up to the total": """
        SELECT * FROM batch_progress
        WHERE completed + failed + skipped + cancelled + processing > total
           OR finished <> completed + failed + skipped + cancelled
           OR (state <> 'done' AND numbered <> finished)
           OR (state = 'done' AND finished <> total)""",
    "what is processing is what the running shards hold": """
        SELECT p.* FROM batch_progress p
        WHERE p.processing <> (SELECT coalesce(sum(s.held), 0) FROM shard s WHERE s.batch_id = p.batch_id)""",
    "a shard holds the pending items of its own while it runs": """
        SELECT s.* FROM shard s WHERE s.held <> CASE WHEN s.state <> 'running' THEN 0 ELSE
            (SELECT count(*) FROM item i WHERE i.batch_id = s.batch_id AND i.ord = ANY (s.ords) AND i.state = 0) END""",
    "the items of an applied batch have each a page, and no others, but for files and what was skipped": """
        SELECT i.* FROM item i JOIN batch b ON b.id = i.batch_id
        WHERE (b.applied_to IS NULL) <> (i.body_batch IS NULL) AND i.file_id IS NULL AND i.state <> 3""",
    "what was processed already points to the item that has its result, and has none": """
        SELECT i.* FROM item i JOIN batch b ON b.id = i.batch_id
        LEFT JOIN item o ON o.batch_id = i.body_batch AND o.ord = i.body_ord
        LEFT JOIN batch_progress p ON p.batch_id = i.body_batch
        WHERE i.state = 3 AND b.applied_to IS NULL AND (i.len IS NOT NULL
           OR (i.detail IS NOT DISTINCT FROM 'already_processed') <> (i.body_batch IS NOT NULL)
           OR (i.body_batch IS NOT NULL AND p.purged_at IS NULL
               AND (o.state, o.content_id, o.digest) IS DISTINCT FROM (1, i.content_id, i.digest)))""",
    "shards that ask no host are in the buckets of none": """
        SELECT s.* FROM shard s JOIN batch b ON b.id = s.batch_id
        WHERE (s.bucket < 1024) <> (b.applied_to IS NULL AND NOT EXISTS (
            SELECT FROM item i WHERE i.batch_id = s.batch_id AND i.ord = ANY (s.ords) AND i.file_id IS NOT NULL))""",
    "one shard runs in a bucket": "SELECT bucket FROM shard WHERE state = 'running' GROUP BY bucket HAVING count(*) > 1",
    "every pending item of a running batch is in exactly one open shard": """
        SELECT i.batch_id, i.ord FROM item i JOIN batch_progress p ON p.batch_id = i.batch_id
        LEFT JOIN (SELECT batch_id, unnest(ords) AS ord FROM shard) s ON s.batch_id = i.batch_id AND s.ord = i.ord
        WHERE i.state = 0 AND p.state = 'running' GROUP BY 1, 2 HAVING count(s.ord) <> 1""",
    "a batch that is stopping has no shards but those in hand, a done one no work": """
        SELECT s.id, s.state, p.state FROM shard s JOIN batch_progress p ON p.batch_id = s.batch_id
        WHERE (p.state = 'stopping' AND s.state <> 'running') OR (p.state = 'done' AND s.held > 0)""",
    "a batch is stopping only while something is in hand": """
        SELECT * FROM batch_progress WHERE state = 'stopping' AND processing = 0""",
    "a batch with nothing left to do is done": """
        SELECT * FROM batch_progress WHERE state IN ('running', 'stopping') AND finished = total""",
    "nothing of an open batch is begun": """
        SELECT p.* FROM batch_progress p WHERE p.state = 'open'
        AND (p.finished + p.processing > 0 OR EXISTS (SELECT FROM shard s WHERE s.batch_id = p.batch_id))""",
    "the positions of a batch's items have no gap": """
        SELECT p.batch_id FROM batch_progress p JOIN item i ON i.batch_id = p.batch_id
        GROUP BY p.batch_id, p.total HAVING count(*) <> p.total OR min(i.ord) <> 0 OR max(i.ord) <> p.total - 1""",
    "what is reserved is the price of what was submitted": """
        SELECT p.batch_id FROM batch_progress p JOIN batch b ON b.id = p.batch_id
        JOIN ledger l ON l.batch_id = p.batch_id AND l.kind = 'reserve'
        WHERE l.account_id <> b.account_id OR (p.purged_at IS NULL AND l.amount <>
            (SELECT coalesce(sum(coalesce(i.price, b.price)), 0) FROM item i WHERE i.batch_id = b.id))""",
    "an item is billed its price when it is completed, and nothing else is billed": """
        SELECT i.* FROM item i JOIN batch b ON b.id = i.batch_id
        WHERE i.billed <> CASE WHEN i.state = 1 THEN coalesce(i.price, b.price) ELSE 0 END""",
    "no batch is billed more than it reserved": """
        SELECT p.* FROM batch_progress p
        WHERE p.billed > (SELECT amount FROM ledger l WHERE l.batch_id = p.batch_id AND l.kind = 'reserve')""",
    "an account with a limit has spent and reserved no more than it was granted": """
        SELECT a.id FROM account a WHERE a.credit_limited
        AND (SELECT coalesce(sum(amount), 0) FROM ledger WHERE account_id = a.id AND kind = 'grant')
          < (SELECT coalesce(sum(amount), 0) FROM ledger WHERE account_id = a.id AND kind = 'settle')
          + (SELECT coalesce(sum(l.amount), 0) FROM ledger l JOIN batch_progress p ON p.batch_id = l.batch_id
             WHERE l.account_id = a.id AND l.kind = 'reserve' AND p.state <> 'done')""",
    "a done batch has one event and one settlement, the others have none": """
        SELECT p.batch_id FROM batch_progress p
        WHERE (SELECT count(*) FROM event e WHERE e.batch_id = p.batch_id) <> (p.state = 'done')::int
           OR (SELECT count(*) FROM ledger l WHERE l.batch_id = p.batch_id AND kind = 'settle') <> (p.state = 'done')::int
           OR (SELECT count(*) FROM ledger l WHERE l.batch_id = p.batch_id AND kind = 'reserve') <> 1""",
    "the settlement is what was billed": """
        SELECT * FROM batch_progress p JOIN ledger l ON l.batch_id = p.batch_id AND l.kind = 'settle'
        WHERE l.amount <> p.billed""",
    "the event tells what the counters say": """
        SELECT e.body FROM event e JOIN batch_progress p ON p.batch_id = e.batch_id
        WHERE (e.body->>'outcome') <> p.outcome OR (e.body->>'total')::int <> p.total
           OR (e.body->>'completed')::int <> p.completed OR (e.body->>'failed')::int <> p.failed
           OR (e.body->>'skipped')::int <> p.skipped OR (e.body->>'cancelled')::int <> p.cancelled""",
    "the outcome of a batch that ran to its end follows from its counts": """
        SELECT * FROM batch_progress WHERE state = 'done' AND outcome NOT IN ('cancelled', 'expired')
        AND outcome <> CASE WHEN completed + skipped = total THEN 'all_ok' WHEN completed + skipped > 0 THEN 'partial' ELSE 'all_failed' END""",
    "no bucket is idle while shards wait for it, but for those whose host is left alone": """
        SELECT w.* FROM shard w WHERE w.state = 'waiting'
        AND NOT EXISTS (SELECT FROM shard r WHERE r.bucket = w.bucket AND r.state = 'running')
        AND NOT EXISTS (SELECT FROM shard q WHERE q.bucket = w.bucket AND q.state = 'queued'
                        AND q.not_before <= greatest(now(), (SELECT h.paused_until FROM host h WHERE h.host = w.host)))""",
    "a waiting shard has no entry in the queue": """
        SELECT s.id FROM shard s JOIN thresher_queue.pgqueuer q ON q.dedupe_key = s.id::text WHERE s.state = 'waiting'""",
}

# Entries can be lost by hand or by a bug; only tests in which nothing loses them hold this one too.
QUEUED = {
    "every open shard that does not wait has one entry in the queue": """
        SELECT s.id FROM shard s JOIN batch_progress p ON p.batch_id = s.batch_id
        WHERE p.state = 'running' AND s.state <> 'waiting'
          AND (SELECT count(*) FROM thresher_queue.pgqueuer q WHERE q.dedupe_key = s.id::text) <> 1""",
}


def _all_hold(laws: dict[str, str]) -> str:
    """All laws in one question, for they are asked after every step of a life."""
    return f"SELECT NOT ({' OR '.join(f'EXISTS ({query})' for query in laws.values())})"


_ALL = {False: _all_hold(LAWS), True: _all_hold(LAWS | QUEUED)}

_FINISHED = "SELECT batch_id, ord, md5(i::text) AS seal FROM item i WHERE state <> 0"
_PURGED = "SELECT batch_id FROM batch_progress WHERE purged_at IS NOT NULL"
_DONE = """
SELECT batch_id, md5((to_jsonb(p) - '{numbered, purged_at, erased_at}'::text[])::text) AS seal
FROM batch_progress p WHERE state = 'done'
"""


async def check(connection: Connection, *, queued: bool = False) -> None:
    """Raise AssertionError naming the first law that is broken, with the rows that break it."""
    if await connection.fetchval(_ALL[queued]):
        return
    for law, query in (LAWS | QUEUED if queued else LAWS).items():
        broken = await connection.fetch(query)
        assert not broken, f"{law}: broken by {[dict(row) for row in broken[:5]]}"
    raise AssertionError("a law was broken, but for a moment only")


class Memory:
    """What was seen finished. It must never change again; the items of a purged batch may go."""

    def __init__(self) -> None:
        self._items: dict[tuple[int, int], str] = {}
        self._batches: dict[int, str] = {}

    async def check(self, connection: Connection) -> None:
        items = {(row["batch_id"], row["ord"]): row["seal"] for row in await connection.fetch(_FINISHED)}
        purged = {row["batch_id"] for row in await connection.fetch(_PURGED)}
        changed = {key for key, seal in self._items.items() if key[0] not in purged and items.get(key) != seal}
        assert not changed, f"finished items changed: {sorted(changed)[:5]}"
        done = {row["batch_id"]: row["seal"] for row in await connection.fetch(_DONE)}
        moved = {key for key, seal in self._batches.items() if done.get(key) != seal}
        assert not moved, f"done batches moved: {sorted(moved)[:5]}"
        self._items, self._batches = items, done
