"""How gently a host is treated: how long it is left alone when it asks for that.

The limit on requests under way at a host is kept by engine/shard.py: one shard of a bucket runs in the whole cluster,
so the limit inside the shard is the limit of the cluster.
"""

PAUSE_SECONDS = 30.0  # for a host that asks for fewer requests without saying when to return
MAX_PAUSE_SECONDS = 6 * 3600.0  # a host that asks for more is believed, but asked again


def pause_for(retry_after: float | None) -> float:
    """Seconds to leave a host alone after it answered 429, 430, or 503 with Retry-After."""
    if retry_after is None:
        return PAUSE_SECONDS
    return min(max(retry_after, 1.0), MAX_PAUSE_SECONDS)
