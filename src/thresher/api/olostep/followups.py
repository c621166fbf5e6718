"""The bodies of what is asked of batches that are there: changes, retries, pages read anew, and of what webhooks were sent.

Parsed, checked whole, and refused with every place that is wrong, as a create is. Pure: no I/O.
"""

from dataclasses import dataclass
from typing import Any

from thresher.api.olostep.bodies import LATEST
from thresher.api.olostep.choices import read_choice
from thresher.api.olostep.faults import Faults, kind_of
from thresher.api.olostep.link_options import read_links_on_page
from thresher.api.olostep.parser_choice import read_parser
from thresher.api.olostep.requests import read_object, read_webhook
from thresher.domain import metadata
from thresher.domain.choices import Content, OnBlocked
from thresher.domain.failure import FailureCode
from thresher.domain.problem import Problem, ProblemCode
from thresher.settings import Settings

_FAILURE_CODES = frozenset(FailureCode)


@dataclass(frozen=True, slots=True)
class ApplyBatch:
    """A valid apply request: what is chosen anew, None for a parser that is switched off; and what else changes."""

    choices: dict[str, Any]
    metadata: Any
    webhook: str | None


@dataclass(frozen=True, slots=True)
class RetryBatch:
    """A valid retry request: items of these codes, of none for all without a result; and what changes in the metadata."""

    codes: frozenset[FailureCode]
    metadata: Any


def read_changes(body: bytes, settings: Settings) -> Any:
    """Parse and check what is to be changed of a batch: its metadata, for `metadata.merged`.

    Raises Problem: invalid_metadata if there is none or something beside it, validation_error.
    """
    request = read_object(body, settings)
    if set(request) != {"metadata"}:
        raise Problem(ProblemCode.INVALID_METADATA, "No metadata field provided. Only metadata can be updated.")
    metadata.merged({}, request["metadata"], "metadata")
    return request["metadata"]


def read_test(body: bytes, settings: Settings) -> str:
    """Parse and check the request for a test event: the URL of the receiver. Raises Problem(validation_error)."""
    with Faults() as faults:
        url = read_webhook(read_object(body, settings), settings, faults, required=True)
    return url or ""


def read_recover(body: bytes, settings: Settings) -> float:
    """Parse and check the time to recover from, in seconds since the epoch. Raises Problem(validation_error)."""
    value = read_object(body, settings).get("since")
    with Faults() as faults:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST:
            faults.add(("since",), f"must be a number of seconds since the epoch, from 0 to {LATEST}")
    return float(value)  # type: ignore[arg-type]  # a fault was raised


def read_retry(body: bytes, settings: Settings) -> RetryBatch:
    """Parse and check what is to be retried of a batch; the body may be empty. Raises Problem(validation_error)."""
    if not body.strip():
        return RetryBatch(frozenset(), {})
    request = read_object(body, settings)
    with Faults() as faults:
        codes = _codes(request.get("codes"), faults)
        changes = _changes(request, faults)
    return RetryBatch(codes, changes)


def read_apply(body: bytes, settings: Settings) -> ApplyBatch:
    """Parse and check how pages are to be read anew; the body may be empty. Raises Problem(validation_error)."""
    request = read_object(body, settings) if body.strip() else {}
    with Faults() as faults:
        choices: dict[str, Any] = {}
        if request.get("parser") is not None:
            choices["parser"] = read_parser(request, faults)
        for name, kind in (("content", Content), ("on_blocked", OnBlocked)):
            if chosen := read_choice(request, name, kind, faults):
                choices[name] = chosen
        if (links := read_links_on_page(request, faults)) is not None:
            choices["links_on_page"] = links.to_json()
        changes = _changes(request, faults)
        webhook = read_webhook(request, settings, faults)
    return ApplyBatch(choices, changes, webhook)


def _changes(request: dict[str, Any], faults: Faults) -> Any:
    """What is to be merged into the metadata of a batch, for one that is made of it."""
    changes = request.get("metadata")
    changes = {} if changes is None or changes == "" else changes
    try:
        metadata.merged({}, changes, "metadata")
    except Problem as problem:
        faults.add_problem(("metadata",), problem)
    return changes


def _codes(value: Any, faults: Faults) -> frozenset[FailureCode]:
    if value is None:
        return frozenset()
    if not isinstance(value, list):
        faults.add(("codes",), f"must be an array of failure codes, not {kind_of(value)}")
        return frozenset()
    for index, code in enumerate(value):
        if not isinstance(code, str) or code not in _FAILURE_CODES:
            shown = repr(code[:40]) if isinstance(code, str) else kind_of(code)
            faults.add(("codes", index), f"{shown} is no failure code; there are {', '.join(FailureCode)}")
    return frozenset(code for code in FailureCode if code in value)
