"""An origin and a cluster of real worker processes on the test's own database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.cluster import Cluster
from tests.support.origin import Origin


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


@pytest.fixture
async def cluster(database_url: str, tmp_path: Path, origin: Origin) -> AsyncIterator[Cluster]:
    async with Cluster(database_url, tmp_path, origin.environment) as made:
        yield made
