"""What a batch that does not exist yet would meet: hosts, robots.txt rules, the queue before it, and the pace of late.

Reads alone, which take no lock that a create takes; each costs the same however much the cluster has done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from thresher.domain.duration import Pace
from thresher.domain.robots import Rules
from thresher.storage.database import Connection

MOST_RULES = 8 * 2**20  # bytes of rules, as they are stored, that one forecast looks at

# Hosts that are not to be asked at once, or have asked for pauses.
_WAITS = """
SELECT h.host, extract(epoch FROM greatest(h.paused_until, h.next_at, now()) - now())::float8 AS wait, h.strikes
FROM unnest($1::text[]) AS asked (host) JOIN host h USING (host)
WHERE h.paused_until > now() OR h.next_at > now() OR h.strikes > 0
"""

# The rules of these origins ($1) that were picked for our user agent ($3), the smallest by the number of pages ($2) first,
# as far as all of them are no larger than $4. As texts, which are read elsewhere. Rows that are large are not looked
# into for their size.
_RULES = """
SELECT origin, rules::text AS rules FROM (
    SELECT r.origin, r.rules, sum(pg_column_size(r.rules)) OVER (ORDER BY pg_column_size(r.rules) * asked.pages, r.origin) AS upto
    FROM unnest($1::text[], $2::bigint[]) AS asked (origin, pages) JOIN robots r USING (origin)
    WHERE r.expires_at > now()) AS found
WHERE upto <= $4 AND rules->>'agent' = $3
"""

# The items that are served before the last of $2 shards of a new batch of this account ($1): its tag is that of
# domain/fairness.py. By host for those of $3, and for all others together.
_AHEAD = """
WITH last AS (
    SELECT (SELECT tag FROM fair_clock) + greatest($2::bigint - 1, 0)
           * (SELECT count(*) + 1 FROM batch_progress WHERE account_id = $1 AND state <> 'done' AND state <> 'open') AS tag
)
SELECT asked.host, sum(CASE WHEN s.state = 'running' THEN s.held ELSE cardinality(s.ords) END)::bigint AS items
FROM shard s CROSS JOIN last LEFT JOIN unnest($3::text[]) AS asked (host) ON asked.host = s.host
WHERE s.tag <= last.tag OR s.state = 'running' GROUP BY asked.host
"""

# The latest batches of enough items ($1), of which most were completed. Of their paces the one that nine in ten do not
# exceed: what a batch takes whose hosts are slow says nothing of the server. And the time of a page, by some items of each
# from its first to its last: of all hosts (a null), and of those of which there are a few.
_PACE = """
WITH latest AS MATERIALIZED (
    SELECT batch_id, numbered, finished / greatest(extract(epoch FROM finished_at - started_at), 0.001)::float8 AS pace
    FROM (SELECT * FROM batch_progress WHERE {whose} purged_at IS NULL ORDER BY batch_id DESC LIMIT 200) AS recent
    WHERE state = 'done' AND outcome IN ('all_ok', 'partial') AND started_at IS NOT NULL
      AND finished >= $1 AND 2 * completed >= finished
    ORDER BY batch_id DESC LIMIT 20
),
taken AS (
    SELECT split_part(split_part(i.ref, '/', 3), ':', 1) AS host, (i.attempts -> -1 ->> 'seconds')::float8 AS seconds
    FROM latest l CROSS JOIN generate_series(1, l.numbered, greatest(l.numbered / 50, 1)) AS nth
    JOIN item i ON i.batch_id = l.batch_id AND i.finish_seq = nth
)
SELECT (SELECT count(*) FROM latest) AS batches,
       (SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY pace) FROM latest) AS pace, host, avg(seconds) AS page
FROM taken GROUP BY GROUPING SETS ((host), ()) HAVING host IS NULL OR count(seconds) >= 3
"""
_OWN_PACE = _PACE.format(whose="account_id = $2 AND")
_COMMON_PACE = _PACE.format(whose="")


@dataclass(frozen=True, slots=True)
class Wait:
    """A host that is not as any other: seconds until it may be asked, and the pauses since it last recovered."""

    seconds: float
    strikes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The pace of so many batches: of the `account`, or of the `cluster`. `pages`: the seconds that a page of a host took."""

    pace: Pace
    pages: Mapping[str, float]
    batches: int
    of: str


@dataclass(frozen=True, slots=True)
class Queue:
    """The items that are served before the last ones of a new batch: all of them, and those of single hosts."""

    items: int
    of_hosts: Mapping[str, int]


async def waits(connection: Connection, hosts: Sequence[str]) -> dict[str, Wait]:
    """Those of these hosts of which there is something to know."""
    return {row["host"]: Wait(row["wait"], row["strikes"]) for row in await connection.fetch(_WAITS, hosts)}


async def rules(connection: Connection, pages: Mapping[str, int], agent: str) -> dict[str, str]:
    """What is remembered of the robots.txt of these origins, given with their numbers of pages; for `read_rules`."""
    rows = await connection.fetch(_RULES, list(pages), list(pages.values()), agent, MOST_RULES)
    return {row["origin"]: row["rules"] for row in rows}


def read_rules(text: str) -> Rules:
    """The rules of an origin. Not in the event loop: some are long."""
    return Rules.from_json(orjson.loads(text))


async def queue(connection: Connection, account: int, shards: int, hosts: Sequence[str]) -> Queue:
    """What stands before a new batch of this account that is cut into so many shards."""
    found = {row["host"]: row["items"] for row in await connection.fetch(_AHEAD, account, shards, hosts)}
    total = sum(found.values())
    found.pop(None, None)
    return Queue(total, found)


async def measured(connection: Connection, account: int, least: int) -> Measured | None:
    """What was measured in the latest batches of at least so many items: of the account, or, if it has none, of the cluster."""
    for of, statement, arguments in (("account", _OWN_PACE, (least, account)), ("cluster", _COMMON_PACE, (least,))):
        rows = {row["host"]: row for row in await connection.fetch(statement, *arguments)}
        all_hosts = rows.pop(None)
        if all_hosts["batches"]:
            pace = Pace(all_hosts["pace"], all_hosts["page"])
            # Which hosts others ask is nobody else's business.
            pages = {host: row["page"] for host, row in rows.items()} if of == "account" else {}
            return Measured(pace, pages, all_hosts["batches"], of)
    return None
