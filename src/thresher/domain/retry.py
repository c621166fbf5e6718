"""When a failed attempt is tried again: only where it can help, later each time, never in step."""

import random
from datetime import timedelta

BASE_SECONDS = 2.0  # the first retry comes after 1 to 3 seconds
FACTOR = 4.0  # then about 8, then about 32: long enough for a restart or a short outage
CAP_SECONDS = 300.0


def delay(attempts: int, retry_after: float | None = None, rand: random.Random | None = None) -> timedelta:
    """How long to wait after `attempts` (one or more) failed attempts.

    Exponential with half of it as jitter, so that the items of a host that failed together do not come
    back together. A server's Retry-After (seconds) is a minimum, never shortened.
    """
    base = min(CAP_SECONDS, BASE_SECONDS * FACTOR ** (attempts - 1))
    jittered = base * (rand or random).uniform(0.5, 1.5)
    return timedelta(seconds=max(jittered, retry_after or 0.0))
