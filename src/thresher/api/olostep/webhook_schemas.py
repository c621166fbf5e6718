"""Webhooks as models, for /openapi.json and /docs alone."""

from typing import Literal

from pydantic import BaseModel, Field

from thresher.api.olostep.schemas import Maybe
from thresher.domain.webhook import EventState, EventType


class DeliveryError(BaseModel):
    code: str
    message: str


class Attempt(BaseModel):
    attempt: str = Field(description="Its number, and how many there may be: 1/5.")
    at: float = Field(description="Seconds since the epoch.")
    ms: int = Field(description="Milliseconds that it took.")
    status: int | None = Field(description="Of the answer; null if there was none.")
    response: str | None = Field(description="The first 1,024 bytes of the answer, as text.")
    error: DeliveryError | None = Field(description="Why there was no answer.")


class Event(BaseModel):
    """An event that goes to a webhook, and every attempt to deliver it."""

    id: str
    object: Literal["event"]
    type: EventType
    url: str
    state: EventState = Field(description="gone: the receiver said 410.")
    created: int = Field(description="Seconds since the epoch.")
    next_attempt: float | None = Field(
        description="When it is attempted next, in seconds since the epoch; null: not at all."
    )
    attempts: list[Attempt] = Field(description="Oldest first.")


class Deliveries(BaseModel):
    object: Literal["list"]
    batch_id: str
    data: list[Event] = Field(description="Newest first.")
    cursor: Maybe[int] = Field(None, description="For the next page; absent on the last one.")


class Recovered(BaseModel):
    object: Literal["recovery"]
    recovered: int = Field(description="Events that are delivered again.")


class Secret(BaseModel):
    object: Literal["webhook_secret"]
    secret: str = Field(description="whsec_ and base64, shown only now.")
    previous_until: int = Field(description="Until then the one before it signs beside it; in seconds since the epoch.")
