"""Caller's metadata: string pairs on a batch or an item, with the documented limits and error texts."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from thresher.domain.problem import Problem, ProblemCode

MAX_KEYS = 50
MAX_KEY = 40
MAX_VALUE = 500


def clean(value: object, where: str) -> dict[str, str]:
    """The metadata as stored: numbers and booleans become strings, everything else that is not a string is refused.

    `where` names the place for the error ("metadata" or "items[3].metadata"). Raises Problem(validation_error).
    """
    if value is None or value == "":
        return {}
    pairs = _pairs(value, where)
    _check_count(len(pairs), where)
    return {key: _value(key, item, where) for key, item in pairs.items() if item is not None}


def merged(old: Mapping[str, str], changes: object, where: str) -> dict[str, str]:
    """The metadata after a change: keys are added and overwritten, and deleted by null or ""; all are by one of these alone.

    Raises Problem(validation_error), also if there would be too many keys.
    """
    if changes is None or changes == "":
        return {}
    pairs = _pairs(changes, where)
    news = clean({key: value for key, value in pairs.items() if value is not None and value != ""}, where)
    result = {key: value for key, value in old.items() if key not in pairs} | news
    _check_count(len(result), where)
    return result


def _pairs(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _problem(where, f"Metadata must be an object. Got {_kind(value)}.")
    return {_key(key, where): item for key, item in value.items()}


def _check_count(count: int, where: str) -> None:
    if count > MAX_KEYS:
        raise _problem(where, f"Metadata can have a maximum of {MAX_KEYS} keys. You provided {count} keys.")


def _key(key: Any, where: str) -> str:
    if len(key) > MAX_KEY:
        raise _problem(where, f'Metadata key "{key[:80]}" exceeds {MAX_KEY} character limit.')
    if "[" in key or "]" in key:
        raise _problem(where, f'Metadata key "{key}" cannot contain square brackets ([ or ]).')
    if "\0" in key:
        raise _problem(where, "Metadata keys cannot contain NUL characters.")
    return str(key)


def _value(key: str, value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        value = _number(value)
    if not isinstance(value, str):
        raise _problem(where, f'Metadata value for key "{key}" must be a string. Got {_kind(value)}.')
    if len(value) > MAX_VALUE:
        raise _problem(where, f'Metadata value for key "{key}" exceeds {MAX_VALUE} character limit.')
    if "\0" in value:
        raise _problem(where, f'Metadata value for key "{key}" cannot contain NUL characters.')
    return value


def _number(value: float) -> str:
    """As JavaScript writes it, with which Olostep's server does: 5.0 is 5, 1e21 stays short. Integers keep their digits."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e21):
        return str(int(value))
    if 1e-6 <= abs(value) < 1e-4:
        return f"{Decimal(repr(value)):f}"
    return repr(value).replace("e-0", "e-")


def _kind(value: object) -> str:
    if isinstance(value, str | bool):
        return "string" if isinstance(value, str) else "boolean"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "number"


def _problem(where: str, text: str) -> Problem:
    detail = text if where == "metadata" else f"{where}: {text}"
    return Problem(
        ProblemCode.VALIDATION_ERROR, detail, errors=[{"loc": ["body", where], "msg": text, "type": "metadata"}]
    )
