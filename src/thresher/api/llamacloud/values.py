"""Kinds of values in requests of the parse API, each with its limits: what passes can be kept."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import AfterValidator, BeforeValidator, StringConstraints

MAX_NAME = 3000  # characters
MAX_METADATA = 16 * 1024  # bytes, as JSON

NO_NUL = r"^[^\x00]*$"  # which PostgreSQL keeps in no text

Text = Annotated[str, StringConstraints(pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME, pattern=NO_NUL)]

T = TypeVar("T")


def _in_time(value: Any) -> Any:
    if not isinstance(value, str | datetime) or (isinstance(value, str) and not value[:4].isdecimal()):
        raise ValueError("a date and time is expected, as in 2027-01-31T12:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("this moment is beyond the calendar") from None


# Without an offset it is UTC.
Moment = Annotated[datetime, BeforeValidator(_in_time), AfterValidator(_in_utc)]


def _kept(value: dict[str, T]) -> dict[str, T]:
    for text in _texts(value):
        if "\0" in text:
            raise ValueError("NUL characters cannot be kept")
    try:
        size = len(orjson.dumps(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"this cannot be kept: {error}") from None
    if size > MAX_METADATA:
        raise ValueError(f"this is {size} bytes of JSON, more than the limit of {MAX_METADATA}")
    return value


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value. Raises ValueError for a number that JSON has no word for."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number must be finite")
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


# A JSON object, and one whose values are as those of files may be.
Json = Annotated[dict[str, Any], AfterValidator(_kept)]
Metadata = Annotated[dict[str, str | int | float | bool | list[str] | None], AfterValidator(_kept)]


def _split(value: Any) -> Any:
    return [part for text in value for part in text.split(",") if part] if isinstance(value, list) else value


# Of a query parameter that is a list: repeated, or with commas between.
COMMAS = BeforeValidator(_split)
