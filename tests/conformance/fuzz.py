"""Requests made from /openapi.json by schemathesis, in four phases, against the application in this process.

The document is the judge: what it allows must be taken, what it does not must be refused, and every answer must be as it
says. What it cannot say is in rules.py.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from schemathesis import openapi
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.python import asgi
from tests.conformance.rules import lines_as_arrays

PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that failed for an operation; `curl` sends the request again."""

    phase: str
    operation: str
    check: str
    text: str
    curl: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.check} ({self.phase})\n{self.text}\n{self.curl}\n"


@dataclass(slots=True)
class Report:
    """What a run did and found."""

    sent: Counter[tuple[str, str, int]] = field(default_factory=Counter)  # by phase, operation, status of the answer
    findings: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # of the run itself
    seconds: float = 0.0

    def distinct(self) -> list[Finding]:
        """The first finding of each operation and check."""
        first: dict[tuple[str, str], Finding] = {}
        for finding in self.findings:
            first.setdefault((finding.operation, finding.check), finding)
        return list(first.values())

    def succeeded(self) -> set[str]:
        """The operations that did what they are for at least once."""
        return {operation for _, operation, status in self.sent if 200 <= status < 300}

    def table(self) -> str:
        """Requests by operation and status."""
        by: dict[str, Counter[int]] = {}
        for (_, operation, status), count in sorted(self.sent.items()):
            by.setdefault(operation, Counter())[status] += count
        return "\n".join(f"{name:45} {dict(sorted(found.items()))}" for name, found in by.items())


def run(app: FastAPI, settings: SchemathesisConfig) -> Report:
    """Run all phases. Blocking; the application lives in a thread of its own meanwhile."""
    report = Report()
    try:
        schema = openapi.from_dict(lines_as_arrays(app.openapi()), config=settings)
        schema.app = app
        schema.location = "/openapi.json"
        for event in from_schema(schema).execute():
            _note(report, event)
    finally:
        asgi.shutdown_lifespans()
    return report


def _note(report: Report, event: Any) -> None:
    match event:
        case events.ScenarioFinished():
            for case_id, interaction in event.recorder.interactions.items():
                operation = event.recorder.cases[case_id].value.operation.label
                status = interaction.response.status_code if interaction.response else 0
                report.sent[event.phase.value, operation, status] += 1
            report.findings += _findings(event)
        case events.NonFatalError():
            report.errors.append(f"{event.label}: {event.info.format()}")
        case events.FatalError():
            raise event.exception
        case events.EngineFinished():
            report.seconds = event.running_time


def _findings(event: events.ScenarioFinished) -> Iterator[Finding]:
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.status is not Status.FAILURE or check.failure_info is None:
                continue
            failure = check.failure_info.failure
            operation = event.recorder.cases[case_id].value.operation.label
            answer = event.recorder.find_response(case_id=failure.case_id or case_id)
            shown = f"{answer.status_code} {answer.text[:500]}" if answer else "no answer"
            yield Finding(
                event.phase.value, operation, check.name, f"{failure}\n{shown}", check.failure_info.code_sample
            )
