"""What comes of a body that may be the page, or is a file: converted as an item chose, judged, and recorded.

Knows nothing of where bodies come from.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from thresher.convert.converter import Converter
from thresher.convert.document import How, Source
from thresher.convert.sandbox import Converted
from thresher.domain.choices import Choices
from thresher.domain.documents import DocumentOptions
from thresher.domain.failure import ItemFailed
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.verdict import check_content, check_parsed

_PLAIN = How()
_KEPT = ("charset", "charset_source", "charset_certainty", "content", "verdict")  # of the facts, in an attempt's record


@dataclass(frozen=True, slots=True)
class Body:
    """What is read: `meta` is kept with what is made of it, `status` that of the answer, None for a file; `retry_after` in seconds."""

    source: Source
    meta: Mapping[str, Any]
    status: int | None = None
    retry_after: float | None = None


def how(choices: Choices, *, file: bool) -> How:
    """How an item wants its body read. A file always gets pages, and what is a document is not kept twice."""
    document = choices.document or (DocumentOptions() if file else None)
    return How(choices.parser, choices.content, choices.definition, document, keep_body=not file)


async def read(
    body: Body,
    converter: Converter,
    so_far: dict[str, Any],
    choices: Choices,
    finish: Callable[[dict[str, Any]], dict[str, Any]],
) -> Attempt:
    """What comes of a body, read as an item chose. `so_far` is the record until then; `finish` makes it whole."""
    record = so_far | {"ms": dict(so_far["ms"])}
    made: Converted | None = None
    try:
        made = await convert(body, converter, record, how(choices, file=body.source.name is not None))
        record |= {name: made.facts[name] for name in _KEPT}
        check_content(made.facts["verdict"], choices.on_blocked)
        check_parsed(made.facts["unparsed"])
    except ItemFailed as failed:
        record |= {"code": failed.failure.code, "detail": failed.failure.detail}
        return Attempt(finish(record), body.status, failed.failure, made.frame if made else None, body.retry_after)
    record["code"] = "ok"
    digest = bytes.fromhex(made.facts["digest"])
    return Attempt(finish(record), body.status, None, made.frame, body.retry_after, digest=digest)


async def convert(body: Body, converter: Converter, record: dict[str, Any], how: How = _PLAIN) -> Converted:
    """What there is, converted. How long it took is in the record, whether it could be done or not. Raises ItemFailed."""
    begun = time.monotonic()
    try:
        return await converter.convert(body.source, dict(body.meta), how)
    finally:
        record["ms"]["convert"] = round((time.monotonic() - begun) * 1000, 1)
