"""`Idempotency-Key`: a POST that can be repeated without being done twice. Knows nothing of what the request does.

What is kept is what a client must not get twice, or would get again: answers of 200 and of 402. Every other refusal
leaves the key free, because the same request may be right later.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Header, Request
from starlette.responses import Response

from thresher.api import problems
from thresher.api.state import IN_A_THREAD, state_of
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage import idempotency
from thresher.storage.accounts import Account
from thresher.storage.database import Connection
from thresher.storage.idempotency import Answer, Keyed

MAX_KEY = 255  # characters

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY,
        pattern=r"^[^\x00]*$",
        description="Repeated under the same key within 24 hours, the request is answered as the first one was, and not done again.",
    ),
]

T = TypeVar("T")


async def once(
    request: Request,
    caller: Account,
    key: str | None,
    read: Callable[[], Awaitable[T]],
    write: Callable[[Connection, T], Awaitable[Response]],
) -> Response:
    """The answer to a POST: what `write` makes of what `read` found in it, once for a key.

    `read` checks the request and changes nothing; `write` does the work on the connection that it is given, and on no other.
    Raises Problem: idempotency_key_reuse, idempotency_key_in_progress, and what the two raise.
    """
    state = state_of(request)
    if key is None:
        wanted = await read()
        async with state.submitting(caller) as connection:
            return await write(connection, wanted)
    keyed = Keyed(caller.id, key, await _fingerprint(request))
    try:
        async with state.connection() as connection:
            answer = await idempotency.find(connection, keyed)
        if answer is None:
            wanted = await read()
            async with state.submitting(caller) as connection:
                answer = await idempotency.once(
                    connection, keyed, lambda: _answer(request, write(connection, wanted), state.settings.public_url)
                )
    except idempotency.Reused:
        raise Problem(
            ProblemCode.IDEMPOTENCY_KEY_REUSE,
            "This idempotency key was used for a request with another path, query or body; a key is for one request.",
        ) from None
    except idempotency.InProgress:
        raise Problem(
            ProblemCode.IDEMPOTENCY_KEY_IN_PROGRESS,
            "A request with this idempotency key is being processed; wait, and send it again.",
            headers={"Retry-After": "1"},
        ) from None
    headers = {"Idempotent-Replayed": "true"} if answer.repeated else None
    return Response(answer.body, answer.status, headers, answer.media_type)


async def _fingerprint(request: Request) -> bytes:
    """SHA-256 of all that says what is to be done: method, path with query, body."""
    scope, body = request.scope, await request.body()
    path = scope.get("raw_path") or scope["path"].encode()
    head = b"%b %b?%b\n" % (request.method.encode(), path, scope["query_string"])

    def digest() -> bytes:
        return hashlib.sha256(head + body).digest()

    return digest() if len(body) <= IN_A_THREAD else await asyncio.to_thread(digest)


async def _answer(request: Request, response: Awaitable[Response], public_url: str | None) -> Answer:
    try:
        return _kept(await response)
    except Problem as problem:
        if problem.code is not ProblemCode.CREDITS_EXHAUSTED:
            raise
        raise idempotency.Refusal(_kept(problems.answer(problem, request.scope, public_url))) from None


def _kept(response: Response) -> Answer:
    return Answer(response.status_code, response.headers["content-type"], bytes(response.body))
