"""How a batch's items are cut into shards: by politeness bucket, in submit order, of bounded size."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Plan:
    """One shard to be: the positions of its items, all of one bucket. `first`: no earlier shard of the plan has its bucket."""

    bucket: int
    first: bool
    ords: list[int] = field(default_factory=list)


def plan(buckets: Iterable[tuple[int, int]], size: int) -> list[Plan]:
    """Shards of at most `size` items for (position, bucket) pairs, in the order of their first items.

    That order is the order of service, so what was submitted first is begun first, host by host.
    """
    shards: list[Plan] = []
    filling: dict[int, Plan] = {}
    for ord_, bucket in buckets:
        shard = filling.get(bucket)
        if shard is None or len(shard.ords) >= size:
            shard = filling[bucket] = Plan(bucket, first=shard is None)
            shards.append(shard)
        shard.ords.append(ord_)
    return shards
