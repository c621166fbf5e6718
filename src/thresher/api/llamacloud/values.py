"""Kinds of values in requests of the parse API, each with its limits: what passes can be kept."""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

MAX_NAME = 3000  # characters
MAX_METADATA = 16 * 1024  # bytes, as JSON
MAX_PARAMETERS = 256 * 1024  # the same, of a parse job: some are prompts

_DATE = re.compile(r"[0-9]{4}-")
NO_NUL = r"^[^\x00]*$"  # which PostgreSQL keeps in no text

Text = Annotated[str, StringConstraints(pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME, pattern=NO_NUL)]
Label = Annotated[str, StringConstraints(max_length=MAX_NAME, pattern=NO_NUL)]  # which may be empty

BEYOND = "beyond_limit"  # of a fault that no schema can tell

T = TypeVar("T")


def _in_words(value: Any) -> Any:
    """Not seconds since the epoch, which the model would take, too."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    raise ValueError("a date and time is expected, as in 2027-01-31T12:00:00Z")


def _in_utc(value: datetime) -> datetime:
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError(BEYOND, "This moment is beyond the calendar") from None


# Without an offset it is UTC.
Moment = Annotated[datetime, BeforeValidator(_in_words), AfterValidator(_in_utc)]


def kept(value: dict[str, T], most: int = MAX_METADATA) -> dict[str, T]:
    for text in _texts(value):
        if "\0" in text:
            raise PydanticCustomError(BEYOND, "NUL characters cannot be kept")
    try:
        size = len(orjson.dumps(value))
    except (TypeError, ValueError) as error:
        raise PydanticCustomError(BEYOND, "This cannot be kept: {error}", {"error": str(error)}) from None
    if size > most:
        context = {"size": size, "limit": most}
        raise PydanticCustomError(BEYOND, "This is {size} bytes of JSON, more than the limit of {limit}", context)
    return value


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value. Raises PydanticCustomError for a number that JSON has no word for."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError(BEYOND, "A number must be finite")
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


# A JSON object, one of texts, one of parameters, and one whose values are as those of files may be.
Json = Annotated[dict[str, Any], AfterValidator(kept)]
Labels = Annotated[dict[Label, Label], AfterValidator(kept)]
Parameters = Annotated[dict[str, Any], AfterValidator(partial(kept, most=MAX_PARAMETERS))]
Metadata = Annotated[dict[str, str | int | float | bool | list[str] | None], AfterValidator(kept)]


def _split(value: Any) -> Any:
    return [part for text in value for part in text.split(",") if part] if isinstance(value, list) else value


# Of a query parameter that is a list: repeated, or with commas between.
COMMAS = BeforeValidator(_split)
