"""What is left of a shard when its worker lets go of it: the unsettled items, grouped into new shards.

Together go those that may be claimed at about the same moment, in the same bucket: nobody waits for a host that is not
his. Knows nothing of how they came to be left.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from thresher.domain import url
from thresher.domain.way import begun_here, way
from thresher.storage.shards import Claim, Rest, ShardItem

_Group = tuple[int, str | None, int, bool]  # bucket, the host that is waited for, power of two of the delay, begun


def rests_of(
    claim: Claim,
    items: Iterable[ShardItem],
    retries: Mapping[int, float],
    waits: Mapping[str, float],
    *,
    behind: bool = False,
) -> list[Rest]:
    """`retries`: seconds until an item (by its ord) is tried again; `waits`: until a host may be asked again; `behind`: as in Rest.

    Items that were not begun where they are now start their deadline anew, the others keep it. What is stored asks no host.
    """
    groups: dict[_Group, list[tuple[ShardItem, str | None, float]]] = {}
    for item in items:
        host = None if item.file else way(item.ref, item.attempts).url.host
        asked = None if claim.applied else host
        wait = waits.get(asked, 0.0) if asked else 0.0
        delay = max(wait, retries.get(item.ord, 0.0))
        _, power = math.frexp(delay)
        bucket = url.bucket(asked) if asked else claim.bucket
        key = (bucket, host if wait else None, power, begun_here(item.attempts))
        groups.setdefault(key, []).append((item, host, delay))
    return [
        replace(_rest(claim, bucket, begun, group), behind=behind) for (bucket, _, _, begun), group in groups.items()
    ]


def _rest(claim: Claim, bucket: int, begun: bool, group: list[tuple[ShardItem, str | None, float]]) -> Rest:
    hosts = {host for _, host, _ in group}
    return Rest(
        [item.ord for item, _, _ in group],
        timedelta(seconds=max(delay for _, _, delay in group)),
        claim.dispatched_at if begun else None,
        {str(item.ord): item.attempts for item, _, _ in group if item.attempts} or None,
        bucket=bucket,
        host=hosts.pop() if len(hosts) == 1 else None,
    )
