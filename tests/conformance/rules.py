"""What schemathesis is told of this API: how a run is made, and what no schema can say, with the reason."""

import copy
import json
import string
from typing import Any

import schemathesis
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData

from thresher.domain.country import COUNTRIES, RANDOM

FILE = "0f1e0000-0000-4000-8000-000000000001"  # a file that there is
NDJSON = "application/x-ndjson"
FORM = "multipart/form-data"

# A well-formed request may be refused for what it meets: too few credits, a batch that is gone.
_MET = ["2xx", "3xx", "401", "402", "403", "404", "409", "410", "429"]
_REFUSED = ["400", "401", "402", "403", "404", "405", "409", "410", "413", "415", "422", "429"]

# Another's is always refused, and a request tells nothing more then.
_MOSTLY = ("query.project_id", "query.organization_id")

_START = {
    # Only the server knows whether an open batch has items, and whether a custom_id in it has two URLs.
    "include-name": "POST /v1/batches/{batch_id}/start",
    "checks": {"positive_data_acceptance": {"expected-statuses": [*_MET, "400"]}},
}

_CANCEL_PARSE = {
    # Nor whether a job has ended.
    "include-name": "POST /api/v2/parse/{parse_job_id}/cancel",
    "checks": {"positive_data_acceptance": {"expected-statuses": [*_MET, "400"]}},
    "parameters": {"path.parse_job_id": {"dictionary": "job to cancel", "probability": 0.8}},
}


_CANCEL = {
    # And whether a batch of the parse API is over already.
    "include-name": [
        "POST /api/v1/beta/batch-processing/{job_id}/cancel",
        "POST /api/v2/batches/{parse_batch_id}/cancel",
    ],
    "checks": {"positive_data_acceptance": {"expected-statuses": [*_MET, "400"]}},
}


def configuration(
    key: str,
    ids: dict[str, list[str]],
    signed: dict[str, dict[str, str]],
    *,
    seed: int,
    examples: int,
    steps: int,
    seconds: int = 0,
) -> SchemathesisConfig:
    """The settings of a run, which is cut off after `seconds` if there are any; else the same seed makes the same requests.

    `ids` has real values for parameters such as path.batch_id, drawn now and then; `signed` those of a signed URL, by
    its operation, which nobody could make from the document. The first batch and the first event belong together, and that batch is not deleted.
    """
    batch, event, directory = ids["path.batch_id"], ids["path.event_id"], ids["path.directory_id"]
    values = {**ids}
    for operation, parts in signed.items():
        values |= {f"{operation} {name}": [value] for name, value in parts.items()}
    new_job = {
        # And a directory that is put into it may stand beside items.
        "include-name": "POST /api/v1/beta/batch-processing",
        "checks": {"positive_data_acceptance": {"expected-statuses": [*_MET, "400"]}},
        "parameters": {"body.directory_id": {"dictionary": "kept directory", "probability": 0.7}},
    }
    values["job to cancel"] = ids["path.parse_job_id"][-5:]
    new_batch = {
        "include-name": "POST /api/v2/batches",
        "parameters": {"body.source_directory_id": {"dictionary": "kept directory", "probability": 0.7}},
    }
    values |= {"kept batch": batch[:1], "its event": event[:1], "kept directory": directory[:1]}
    diff = {
        "include-name": "GET /v1/batches/{batch_id}/diff",
        "parameters": {
            name: {"dictionary": "kept batch", "probability": 0.7} for name in ("path.batch_id", "query.with")
        },
    }
    resend = {
        "include-name": "POST /v1/batches/{batch_id}/deliveries/{event_id}/resend",
        "parameters": {
            "path.batch_id": {"dictionary": "kept batch", "probability": 0.7},
            "path.event_id": {"dictionary": "its event", "probability": 0.7},
        },
    }
    members = {
        "include-name-regex": r"/directories/\{directory_id\}/files",
        "parameters": {
            "path.directory_id": {"dictionary": "kept directory", "probability": 0.8},
            "path.directory_file_id": {"dictionary": "path.directory_file_id", "probability": 0.8},
        },
    }
    hosted = [
        {
            "include-name": operation,
            "parameters": {name: {"dictionary": f"{operation} {name}", "probability": 0.9} for name in parts},
        }
        for operation, parts in signed.items()
    ]
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            **({"max-time": seconds} if seconds else {}),
            "headers": {"Authorization": f"Bearer {key}"},
            "continue-on-failure": True,
            "generation": {"database": "none", "no-shrink": True, "max-examples": examples},
            "phases": {"stateful": {"max-steps": steps}},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": _MET},
                "negative_data_rejection": {"expected-statuses": _REFUSED},
            },
            "operations": [_START, _CANCEL, _CANCEL_PARSE, new_job, new_batch, *hosted, diff, resend, members],
            "dictionaries": {name: {"values": some} for name, some in values.items()},
            "parameters": {name: {"dictionary": name, "probability": 0.95 if name in _MOSTLY else 0.3} for name in ids},
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
def write_lines(context: Any, value: Any) -> bytes:
    """What is generated for a body of lines; what is no array is one line."""
    if isinstance(value, bytes):
        return value
    return b"\n".join(json.dumps(one).encode() for one in (value if isinstance(value, list) else [value]))


@schemathesis.deserializer(NDJSON)
def read_lines(context: Any, response: Any) -> Any:
    return [json.loads(line) for line in response.content.splitlines()]


def _is_right_all_the_same(case: Any) -> bool:
    """Whether a body that was made wrong by one alternative of its schema is right by another."""
    wrong = {place for place in ParameterLocation if case.meta.is_negative_at(place)}
    if wrong != {ParameterLocation.BODY}:
        return False
    document = case.operation.schema.raw_schema
    operation = document["paths"][case.operation.path][case.operation.method]
    schema = operation["requestBody"]["content"][case.media_type]["schema"]
    right: bool = Draft202012Validator(schema | {"components": document["components"]}).is_valid(case.body)
    return right


# Kinds of faults that no schema can tell.
_UNTOLD = {"duplicate", "receiver", "batch", "parser", "definition", "file", "page_token", "beyond_limit"}


def _is_untold(error: dict[str, Any], media_type: str | None) -> bool:
    """Or could, but not of JSON that is a text of a form."""
    return error["type"] in _UNTOLD or (media_type == FORM and error["loc"][:2] == ["body", "metadata"])


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """Drop what is right, though no schema can say it."""
    if isinstance(failure, AcceptedNegativeData):
        return not _is_right_all_the_same(case)
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = response.json()
    # One custom_id for two URLs, one header in upper and in lower case; a webhook that is no public address, or none for the
    # events that are chosen; a batch to be compared with that there is not; a name that no parser has, or may have; what is
    # no selector or pattern; a file that there is not; what is no page's token; a moment that is over, an object of too many
    # bytes.
    errors = problem.get("errors", problem["detail"])  # of the one API, of the other
    only_the_server_knows = (
        isinstance(errors, list) and errors and all(_is_untold(error, case.media_type) for error in errors)
    )
    lines_under_a_key = case.media_type == NDJSON and "Idempotency-Key" in (case.headers or {})
    return not (
        only_the_server_knows or lines_under_a_key or problem.get("code") in ("nothing_to_retry", "nothing_stored")
    )


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
schemathesis.openapi.format("field-name", st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}", fullmatch=True))
schemathesis.openapi.format("file-id", st.just(FILE) | st.just(FILE.upper()) | st.uuids().map(str))
schemathesis.openapi.format("parse-configuration", st.just('{"tier": "fast", "version": "latest"}'))
schemathesis.openapi.format("printable", st.text(min_size=1, max_size=40).filter(str.isprintable))
schemathesis.openapi.format("iso-3166-1-alpha-2", st.sampled_from([*sorted(COUNTRIES), "de", RANDOM]))
