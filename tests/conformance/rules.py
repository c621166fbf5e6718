"""What schemathesis is told of this API: how a run is made, and what no schema can say. Each exception has its reason."""

import copy
import itertools
import json
import string
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

from thresher.domain.country import COUNTRIES, RANDOM

NDJSON = "application/x-ndjson"

# A well-formed request may be refused for what it meets: too few credits, a batch that is gone.
_MET = ["2xx", "3xx", "401", "402", "403", "404", "409", "410", "429"]

_OPERATIONS = [
    {
        # Only the server knows whether an open batch has items, and whether a custom_id in it has two URLs.
        "include-name": "POST /v1/batches/{batch_id}/start",
        "checks": {"positive_data_acceptance": {"expected-statuses": [*_MET, "400"]}},
    },
]


def configuration(
    key: str, ids: dict[str, list[str]], *, seed: int, examples: int, steps: int, seconds: float | None = None
) -> SchemathesisConfig:
    """The settings of a run. `ids` has real values for parameters such as path.batch_id, which are drawn now and then.

    The same seed makes the same requests, unless the run is cut off by its seconds.
    """
    generation = {"database": "none", "no-shrink": True, "max-examples": examples}
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            **({"max-time": seconds} if seconds else {}),
            "headers": {"Authorization": f"Bearer {key}"},
            "continue-on-failure": True,
            "generation": generation,
            "phases": {"stateful": {"max-steps": steps}},
            "checks": {"positive_data_acceptance": {"expected-statuses": _MET}},
            "operations": _OPERATIONS,
            "dictionaries": {name: {"values": values} for name, values in ids.items()},
            "parameters": {name: {"dictionary": name, "probability": 0.3} for name in ids},
        }
    )


def lines_as_arrays(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every body of lines as an array of what one line is: a schema has no word for lines."""
    if isinstance(document, list):
        return [lines_as_arrays(one) for one in document]
    if not isinstance(document, dict):
        return document
    found = {name: lines_as_arrays(one) for name, one in document.items()}
    if NDJSON in found and "schema" in found[NDJSON]:
        found[NDJSON] = {"schema": {"type": "array", "items": copy.copy(found[NDJSON]["schema"])}}
    return found


@schemathesis.serializer(NDJSON)
def write_lines(context: Any, value: Any) -> dict[str, Any]:
    """What is generated for a body of lines; what is no array is one line."""
    if isinstance(value, bytes):
        return {"data": value}
    return {"data": b"\n".join(json.dumps(one).encode() for one in (value if isinstance(value, list) else [value]))}


@schemathesis.deserializer(NDJSON)
def read_lines(context: Any, response: Any) -> Any:
    return [json.loads(line) for line in response.content.splitlines()]


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """Drop what is right, though no schema can say it."""
    if isinstance(failure, RejectedPositiveData):
        # One custom_id for two URLs.
        return {error["type"] for error in response.json()["errors"]} != {"duplicate"}
    return True


_requests = itertools.count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Change what would stand in the way of everything else, to what is just as right."""
    wait = case.query.get("wait") if case.query else None
    if isinstance(wait, int | float) and wait > 0.01:  # a batch that is not worked on can be awaited for a minute
        case.query["wait"] = 0.01
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if key and len(key) < 240:  # the same few keys come again and again, and are refused for another body
        case.headers["Idempotency-Key"] = f"{key}-{next(_requests)}"


def _url(scheme: str, host: str, port: int | None, path: str) -> str:
    return f"{scheme}://{host}{f':{port}' if port else ''}/{path}"


_label = st.text(string.ascii_letters + string.digits, min_size=1, max_size=10).map(lambda text: f"h{text}")
schemathesis.openapi.format(
    "uri",
    st.builds(
        _url,
        st.sampled_from(["http", "https", "HTTP"]),
        st.lists(_label, min_size=1, max_size=3).map(".".join)
        | st.sampled_from(["[::1]", "192.0.2.1", "bücher.example"]),
        st.none() | st.integers(1, 65535),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    ),
)
schemathesis.openapi.format("printable", st.text(min_size=1, max_size=40).filter(str.isprintable))
schemathesis.openapi.format("iso-3166-1-alpha-2", st.sampled_from([*sorted(COUNTRIES), "de", RANDOM]))
