"""Who asks: `Authorization: Bearer KEY` to an account, and whether the key may. Knows nothing of what is asked for."""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from thresher.api.limits import keep_pace
from thresher.api.state import state_of
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
from thresher.domain.scopes import Scope
from thresher.storage import accounts
from thresher.storage.accounts import Account

TTL = 5.0  # seconds until a revoked key is refused everywhere
MOST = 1024  # keys remembered in one process

_bearer = HTTPBearer(scheme_name="Authorization", auto_error=False, description="An API key of this server.")


class KnownKeys:
    """Keys seen a moment ago, by their hash, so that a busy client does not cost a query per request."""

    def __init__(self, ttl: float = TTL, most: int = MOST) -> None:
        self._ttl, self._most = ttl, most
        self._known: dict[bytes, tuple[float, Account]] = {}

    def get(self, key_hash: bytes) -> Account | None:
        """The account of a key that was looked up less than the time to live ago, and has not expired since."""
        until, account = self._known.get(key_hash, (0.0, None))
        return account if until > time.monotonic() else None

    def add(self, account: Account, asked: float) -> None:
        """Remember a key that was looked up at this monotonic moment; the one added first goes when there are too many."""
        self._known.pop(account.key_hash, None)
        while len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
        self._known[account.key_hash] = (asked + min(self._ttl, account.left), account)


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.INVALID_API_KEY, detail, headers={"WWW-Authenticate": "Bearer"})


async def _authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Account:
    """The account of the request's key, counted among the key's requests.

    Raises Problem: invalid_api_key, for an unknown key as for one that was revoked or has expired; rate_limit_exceeded.
    """
    if credentials is None or not credentials.credentials:
        raise _refused("An API key is required: send the header Authorization: Bearer KEY.")
    known = cast(KnownKeys, request.app.state.known_keys)
    key_hash = ids.key_hash(credentials.credentials)
    account = known.get(key_hash)
    if account is None:
        asked = time.monotonic()  # before the database's look at its clock, so that no key outlives its expiry
        async with state_of(request).connection() as connection:
            account = await accounts.authenticate(connection, key_hash)
        if account is None:
            raise _refused("Your API key is invalid")
        known.add(account, asked)
    await keep_pace(request, key_hash)
    return account


Caller = Annotated[Account, Depends(_authenticate)]


def _allowed(scope: Scope) -> Callable[[Account], Awaitable[Account]]:
    async def check(caller: Caller) -> Account:
        if caller.scopes and scope not in caller.scopes:
            has = ", ".join(sorted(caller.scopes))
            raise Problem(ProblemCode.ACCESS_DENIED, f"This needs the scope {scope}, and the key has only {has}.")
        return caller

    return check


# Whoever has a key that may do such things.
Reader = Annotated[Account, Depends(_allowed(Scope.READ))]
Writer = Annotated[Account, Depends(_allowed(Scope.WRITE))]
