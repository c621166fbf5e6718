"""How fast a key may ask: each request of a limited key is counted, and every answer to it says what is left."""

import math

from fastapi import Request

from thresher.api.state import state_of
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage import pace


async def keep_pace(request: Request, key_hash: bytes) -> None:
    """Count a request of a key. Raises Problem(rate_limit_exceeded); without a limit it does nothing at all."""
    state = state_of(request)
    limit = state.settings.requests_per_minute
    if not limit:
        return
    async with state.connection() as connection:
        counted = await pace.count(connection, key_hash, limit)
    request.state.answer_headers = {  # the border sets them, whatever the answer becomes
        "RateLimit-Policy": f"{limit};w=60",
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(counted.remaining),
        "RateLimit-Reset": str(math.ceil(counted.reset)),
    }
    if not counted.allowed:
        wait = max(1, math.ceil(counted.wait))
        raise Problem(
            ProblemCode.RATE_LIMIT_EXCEEDED,
            f"This key may make {limit} requests in a minute; the next one in {wait} s.",
            headers={"Retry-After": str(wait)},
        )
