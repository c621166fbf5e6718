"""The bodies of a create and of an append in JSON: parsed, checked whole, and refused with every place that is wrong.

Checked by hand, because 10,000 items must take a fraction of a second. Pure: no I/O, so it may run in a thread.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from thresher.api import receivers
from thresher.api.olostep.choices import read_choice
from thresher.api.olostep.faults import Faults, kind_of
from thresher.api.olostep.headers import read_headers
from thresher.api.olostep.items import items_name, read_items, wait_fault
from thresher.api.olostep.link_options import read_links_on_page
from thresher.api.olostep.parser_choice import read_parser
from thresher.api.olostep.refusals import Refusals
from thresher.domain import country, metadata, source
from thresher.domain import webhook as webhooks
from thresher.domain.choices import Content, OnBlocked, RobotsMode
from thresher.domain.problem import Problem, ProblemCode
from thresher.settings import Settings
from thresher.storage.submit import NewItem

# Kept with the batch as they came, for what reads them later.
KEPT_OPTIONS = ("formats", "wait_before_scraping")
MAX_OPTION_DEPTH = 16
MAX_OPTION_BYTES = 64 * 1024

# Arrays and objects in a body, by the item that one may have: no client sends so many, and 20 million empty ones, which
# fit into 60 MB, keep Python's garbage collector and with it the whole process busy for 20 seconds.
MAX_NESTED_PER_ITEM = 100


@dataclass(frozen=True, slots=True)
class CreateBatch:
    """A valid create request."""

    items: list[NewItem]
    options: dict[str, Any]
    metadata: dict[str, str]
    webhook: str | None
    lifetime: float
    open: bool
    source: str
    compare_with: str | None = None
    headers: dict[str, str] | None = field(default=None, repr=False)


def read_create(body: bytes, settings: Settings, refusals: Refusals | None = None) -> CreateBatch:
    """Parse and check a create request. Raises Problem(validation_error) naming fields, indices and limits.

    With `refusals`, what is wrong with single items is noted there, and those are left out.
    """
    request = read_object(body, settings)
    with Faults() as faults:
        pairs = faults.metadata = _metadata(request, faults)
        is_open = _open(request, faults)
        items = _items(request, settings, faults, refusals, may_be_none=is_open)
        options = _options(request, settings, faults)
        lifetime = _timeout(request, settings, faults)
        webhook = read_webhook(request, settings, faults)
        if subjects := _subjects(request, webhook, faults):
            options["webhook_events"] = subjects
        maker = _source(request, faults)
        headers = read_headers(request, faults) or None
        earlier = _compare_with(request, faults)
        if _only_changes(request, webhook, earlier, faults):
            options["webhook_only_changes"] = True
    return CreateBatch(items, options, pairs, webhook, lifetime, is_open, maker, earlier, headers)


def read_append(body: bytes, settings: Settings) -> list[NewItem]:
    """Parse and check the items of an append in JSON. Raises Problem(validation_error) as `read_create` does."""
    with Faults() as faults:
        return read_items(read_object(body, settings), settings, faults)


def _open(request: dict[str, Any], faults: Faults) -> bool:
    value = request.get("open")
    if value is not None and not isinstance(value, bool):
        faults.add(("open",), f"must be true or false, not {kind_of(value)}")
    return value is True


def _items(
    request: dict[str, Any], settings: Settings, faults: Faults, refusals: Refusals | None, *, may_be_none: bool
) -> list[NewItem]:
    name = items_name(request)
    if may_be_none and request.get(name) is None:
        return []
    if not may_be_none and request.get(name) == []:
        faults.add((name,), "must not be empty")
        return []
    found = read_items(request, settings, faults, refusals)
    if len(found) > settings.max_batch_items:
        limit = settings.max_batch_items
        faults.add(
            (name,), f"{len(found)} items; the limit of a batch is {limit} (THRESHER_MAX_BATCH_ITEMS)", "too_long"
        )
    return found


def _timeout(request: dict[str, Any], settings: Settings, faults: Faults) -> float:
    value, most = request.get("timeout"), settings.batch_timeout
    if value is None:
        return most
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add(("timeout",), f"must be a number of seconds, not {kind_of(value)}")
    elif not 0 < value <= most:
        faults.add(("timeout",), f"must be more than 0 and at most {most:g} seconds (THRESHER_BATCH_TIMEOUT)")
    else:
        return float(value)
    return most


def _not_too_many_values(body: bytes, settings: Settings) -> None:
    # Brackets inside of strings are counted as well: the limit is far from what a body needs.
    limit = max(settings.max_items, 1000) * MAX_NESTED_PER_ITEM
    if len(body) > limit and body.count(b"[") + body.count(b"{") > limit:
        raise _refused(f"The request body holds more than {limit} arrays and objects, the limit.", "too_long")


def read_object(body: bytes, settings: Settings) -> dict[str, Any]:
    """The JSON object that a request's body must be. Raises Problem(validation_error)."""
    _not_too_many_values(body, settings)
    if not body.strip():
        raise _refused("The request body is empty; a JSON object is expected.", "json_empty")
    try:
        value = orjson.loads(body)
    except ValueError as error:
        # orjson refuses NaN, lone surrogates, bad UTF-8 and nesting beyond 1,024 too, and says where.
        raise _refused(f"The request body is not valid JSON: {error}", "json_invalid") from None
    if not isinstance(value, dict):
        raise _refused(f"The request body must be a JSON object, not {kind_of(value)}.", "json_type")
    return value


def _refused(detail: str, kind: str) -> Problem:
    return Problem(ProblemCode.VALIDATION_ERROR, detail, errors=[{"loc": ["body"], "msg": detail, "type": kind}])


def _options(request: dict[str, Any], settings: Settings, faults: Faults) -> dict[str, Any]:
    options = {name: request[name] for name in KEPT_OPTIONS if request.get(name) is not None}
    for name, value in options.items():
        if fault := _beyond_reason(value) or _of_another_kind(name, value):
            faults.add((name,), fault)
    if (links := read_links_on_page(request, faults)) is not None:
        options["links_on_page"] = links.to_json()
    if code := _country(request, settings, faults):
        options["country"] = code
    for name, kind in (("robots", RobotsMode), ("on_blocked", OnBlocked), ("content", Content)):
        if chosen := read_choice(request, name, kind, faults):
            options[name] = chosen
    if (age := _max_age(request, faults)) is not None:
        options["max_age"] = age
    if parser := read_parser(request, faults):
        options["parser"] = parser
    return options


def _max_age(request: dict[str, Any], faults: Faults) -> float | None:
    value = request.get("max_age")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        faults.add(("max_age",), "must be a number of seconds, 0 or more")
        return None
    return float(value)


def _country(request: dict[str, Any], settings: Settings, faults: Faults) -> str | None:
    name = "batch_country" if request.get("country") is None else "country"
    value = request.get(name)
    if value is None or value == "":
        return None
    code = country.canonical(value) if isinstance(value, str) else None
    if code is None:
        shown = f"{value[:20]!r} is" if isinstance(value, str) else f"{kind_of(value)} is"
        faults.add((name,), f"{shown} not an ISO 3166-1 alpha-2 country code, nor RANDOM")
    elif settings.country_strict and country.pick(code, served := country.served(settings.proxies)) is None:
        there = f"only for {', '.join(sorted(served))}" if served else "for no country"
        faults.add((name,), f"{code} needs a proxy pool (THRESHER_COUNTRY_STRICT); THRESHER_PROXIES has one {there}")
    return code


def read_webhook(request: dict[str, Any], settings: Settings, faults: Faults, *, required: bool = False) -> str | None:
    """The URL of a receiver, None if there is none. One that is no public address is refused here, as far as its text tells."""
    name = "webhook_url" if request.get("webhook") is None else "webhook"
    value = request.get(name)
    if value is None or value == "":
        if required:
            faults.add(("webhook",), "is required", "missing")
        return None
    if not isinstance(value, str):
        faults.add((name,), f"must be a string, not {kind_of(value)}")
        return None
    if fault := receivers.fault(value, settings):
        faults.add((name,), *fault)
    return value


def _subjects(request: dict[str, Any], webhook: str | None, faults: Faults) -> list[str]:
    """What the webhook is to be told of, [] when the request does not say."""
    name = "webhook_events"
    value = request.get(name)
    if value is None or value == []:
        return []
    known = ", ".join(webhooks.Subject)
    if not isinstance(value, list) or not all(isinstance(one, str) and one in set(webhooks.Subject) for one in value):
        faults.add((name,), f"must be an array of some of {known}")
        return []
    if webhook is None:
        faults.add((name,), "is of no use without a webhook", "receiver")
    return [subject for subject in webhooks.Subject if subject in value]


def _compare_with(request: dict[str, Any], faults: Faults) -> str | None:
    """The id of an earlier batch; whether there is one is for whoever asks the database."""
    value = request.get("compare_with")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        faults.add(("compare_with",), f"must be the id of a batch, not {kind_of(value)}")
        return None
    return value


def _only_changes(request: dict[str, Any], webhook: str | None, earlier: str | None, faults: Faults) -> bool:
    name = "webhook_only_changes"
    value = request.get(name)
    if value is not None and not isinstance(value, bool):
        faults.add((name,), f"must be true or false, not {kind_of(value)}")
    elif value and webhook is None:
        faults.add((name,), "is of no use without a webhook", "receiver")
    elif value and earlier is None:
        faults.add((name,), "is of no use without compare_with", "receiver")
    return value is True


def _source(request: dict[str, Any], faults: Faults) -> str:
    value = request.get("source")
    if value is None:
        return source.DEFAULT
    if not isinstance(value, str):
        faults.add(("source",), f"must be a string, not {kind_of(value)}")
    elif not source.is_source(value):
        faults.add(("source",), source.RULE)
    else:
        return value
    return source.DEFAULT


def _metadata(request: dict[str, Any], faults: Faults) -> dict[str, str]:
    try:
        return metadata.clean(request.get("metadata"), "metadata")
    except Problem as problem:
        faults.add_problem(("metadata",), problem)
        return {}


def _of_another_kind(name: str, value: object) -> str | None:
    """Why an option is not what clients send under its name."""
    if name == "wait_before_scraping":
        return wait_fault(value)
    if name == "formats" and not (
        isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))
    ):
        return "must be an array of strings"
    return None


def _beyond_reason(value: object) -> str | None:
    """Why an option cannot be kept. PostgreSQL's jsonb takes no NUL, and orjson writes 254 levels at most."""
    stack: list[tuple[object, int]] = [(value, 1)]
    left = MAX_OPTION_BYTES  # each value takes a byte at least; millions of them are not walked through
    while stack:
        one, depth = stack.pop()
        if depth > MAX_OPTION_DEPTH:
            return f"nested deeper than the limit of {MAX_OPTION_DEPTH} levels"
        if isinstance(one, str) and "\0" in one:
            return "must not contain NUL characters"
        if isinstance(one, dict | list):
            left -= len(one)
            if left < 0:
                return f"more than {MAX_OPTION_BYTES} bytes, the limit"
            inside = (inner for pair in one.items() for inner in pair) if isinstance(one, dict) else one
            stack += ((inner, depth + 1) for inner in inside)
    size = len(orjson.dumps(value))
    return f"{size} bytes; the limit is {MAX_OPTION_BYTES}" if size > MAX_OPTION_BYTES else None
