"""`thresher serve` as its users run it: real processes on the embedded database, a real origin, real clients."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.acceptance.served import Served
from tests.serve.conftest import room as room  # a private folder, and the promise that no process of it is left
from tests.support.origin import Origin


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


@pytest.fixture
async def server(room: Path, origin: Origin) -> AsyncIterator[Served]:
    async with Served(room / "data", origin.environment) as running:
        yield running


@pytest.fixture(scope="session")
def corpus() -> Path:
    """A folder with real pages (`pages/*.html.gz`), where THRESHER_CORPUS names one."""
    folder = os.environ.get("THRESHER_CORPUS")
    if not folder:
        pytest.skip("THRESHER_CORPUS names no folder of real pages")
    return Path(folder)
