"""The words of the batch commands: which there are, and those that were given, checked."""

from collections.abc import Sequence
from typing import Any

from thresher.cli.errors import ExitCode, fail

DEFAULT_FORMATS = ("markdown", "links")  # in every line
MORE_FORMATS = ("html", "text", "json", "pages")
STATUSES = ("completed", "failed", "skipped", "cancelled")


def chosen(values: Sequence[str] | None, known: Sequence[str], flag: str, passed_over: Sequence[str] = ()) -> list[str]:
    """The words of a flag that is repeated or has commas, each one once."""
    words = [word.strip().lower() for value in values or () for word in value.split(",") if word.strip()]
    for word in words:
        if word not in known and word not in passed_over:
            fail(f"{flag} {word} is not one of {', '.join([*known, *passed_over])}.", ExitCode.USAGE)
    return [word for word in known if word in words]


def fields_of(
    name: str | None, metadata: Sequence[str] | None, max_age: float | None, **plain: str | None
) -> dict[str, Any]:
    """The fields of the create request that have a flag."""
    pairs = {"name": name} if name is not None else {}
    for pair in metadata or ():
        key, separator, value = pair.partition("=")
        if not separator or not key:
            fail(f"--metadata {pair} is not KEY=VALUE.", ExitCode.USAGE)
        pairs[key] = value
    for text in (*pairs, *pairs.values(), *filter(None, plain.values())):
        if not text.isascii() and text != text.encode(errors="replace").decode():
            fail(f"{text!r} is not UTF-8.", ExitCode.USAGE)
    fields = {"metadata": pairs or None, "max_age": max_age, **plain}
    return {field: value for field, value in fields.items() if value is not None}
