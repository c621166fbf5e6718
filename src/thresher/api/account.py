"""GET /v1/account: what a key is good for. Any key that is known may ask; clients try theirs with it."""

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from thresher.api.auth import Caller
from thresher.api.openapi import PROBLEMS
from thresher.api.reply import json_reply
from thresher.api.state import state_of
from thresher.domain.scopes import Scope
from thresher.storage import keys, ledger
from thresher.storage.keys import Key
from thresher.storage.ledger import Statement

router = APIRouter(prefix="/v1", tags=["account"], responses=PROBLEMS)


class KeyModel(BaseModel):
    id: str = Field(description="The key's short id, which opens nothing.")
    name: str
    scopes: list[Scope] = Field(description="What the key may do.")
    expires_at: int | None = Field(description="Seconds since the epoch; null: never.")


class CreditsModel(BaseModel):
    unlimited: bool
    available: int | None = Field(description="What new batches may still reserve; null: any number.")
    reserved: int = Field(description="By batches that are not done.")
    consumed: int = Field(description="By batches that are done.")


class AccountModel(BaseModel):
    """An account, and the key that asks."""

    id: str
    object: Literal["account"]
    name: str
    key: KeyModel | None = Field(description="Null for a key that was deleted a moment ago.")
    credits: CreditsModel
    requests_per_minute: int | None = Field(description="Of each key; null: any number.")


@router.get("/account", response_model=AccountModel, summary="The account of the key")
async def account(request: Request, caller: Caller) -> Response:
    state = state_of(request)
    async with state.snapshot() as connection:
        statement = await ledger.statement(connection, caller.id)
        key = await keys.get(connection, caller.key_hash)
    return json_reply(
        {
            "id": str(statement.org),
            "object": "account",
            "name": statement.name,
            "key": _key_view(key) if key else None,
            "credits": _credits_view(statement),
            "requests_per_minute": state.settings.requests_per_minute or None,
        }
    )


def _key_view(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes or list(Scope),
        "expires_at": int(key.expires_at.timestamp()) if key.expires_at else None,
    }


def _credits_view(statement: Statement) -> dict[str, Any]:
    return {
        "unlimited": not statement.limited,
        "available": statement.available,
        "reserved": statement.reserved,
        "consumed": statement.consumed,
    }
