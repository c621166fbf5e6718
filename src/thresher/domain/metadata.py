"""Caller's metadata: string pairs on a batch or an item, with the documented limits and error texts."""

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
    if not isinstance(value, dict):
        raise _problem(where, f"Metadata must be an object. Got {_kind(value)}.")
    if len(value) > MAX_KEYS:
        raise _problem(where, f"Metadata can have a maximum of {MAX_KEYS} keys. You provided {len(value)} keys.")
    return {_key(key, where): _value(key, item, where) for key, item in value.items() if item is not None}


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
        value = str(value)
    if not isinstance(value, str):
        raise _problem(where, f'Metadata value for key "{key}" must be a string. Got {_kind(value)}.')
    if len(value) > MAX_VALUE:
        raise _problem(where, f'Metadata value for key "{key}" exceeds {MAX_VALUE} character limit.')
    if "\0" in value:
        raise _problem(where, f'Metadata value for key "{key}" cannot contain NUL characters.')
    return value


def _kind(value: object) -> str:
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else type(value).__name__


def _problem(where: str, text: str) -> Problem:
    detail = text if where == "metadata" else f"{where}: {text}"
    return Problem(
        ProblemCode.VALIDATION_ERROR, detail, errors=[{"loc": ["body", where], "msg": text, "type": "metadata"}]
    )
