"""Who asks: `Authorization: Bearer KEY` to an account. Knows nothing of what is asked for."""

import time
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from thresher.api.state import state_of
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
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
        """The account of a key that was added less than the time to live ago."""
        until, account = self._known.get(key_hash, (0.0, None))
        return account if until > time.monotonic() else None

    def add(self, key_hash: bytes, account: Account) -> None:
        """Remember a key; the one added first goes when there are too many."""
        self._known.pop(key_hash, None)
        while len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
        self._known[key_hash] = (time.monotonic() + self._ttl, account)


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.INVALID_API_KEY, detail, headers={"WWW-Authenticate": "Bearer"})


async def _authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Account:
    """The account of the request's key. Raises Problem(invalid_api_key)."""
    if credentials is None or not credentials.credentials:
        raise _refused("An API key is required: send the header Authorization: Bearer KEY.")
    known = cast(KnownKeys, request.app.state.known_keys)
    key_hash = ids.key_hash(credentials.credentials)
    account = known.get(key_hash)
    if account is None:
        async with state_of(request).connection() as connection:
            account = await accounts.authenticate(connection, credentials.credentials)
        if account is None:
            raise _refused("Your API key is invalid")
        known.add(key_hash, account)
    return account


# Whoever has a key that may do such things.
Reader = Annotated[Account, Depends(_authenticate)]
Writer = Annotated[Account, Depends(_authenticate)]
