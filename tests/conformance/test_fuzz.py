"""The application against its own document: a short run of what `make fuzz` does at length."""

import asyncio
from pathlib import Path

import pytest
from tests.conformance.fuzz import PHASES, run
from tests.conformance.rules import configuration
from tests.conformance.stage import staged


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # of what schemathesis makes of our schemas
async def test_the_application_does_what_its_document_says_and_nothing_else(database_url: str, tmp_path: Path) -> None:
    async with staged(database_url, tmp_path) as stage:
        settings = configuration(stage.key, stage.ids, stage.signed, seed=1, examples=8, steps=4)
        report = await asyncio.to_thread(run, stage.app, settings)
        operations = {
            f"{method.upper()} {path}" for path, methods in stage.app.openapi()["paths"].items() for method in methods
        }
    if wrong := [*report.errors, *map(str, report.distinct())]:
        pytest.fail("\n".join(wrong))
    # Else it would prove little.
    assert {phase for phase, _, _ in report.sent} == set(PHASES)
    assert operations - report.succeeded() == set(), report.table()
