"""One running `thresher serve` and one origin for each process of tests; a folder and a command line for each test."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.acceptance.served import Served
from tests.cli.kit import Cli
from tests.serve.conftest import room as room  # for tests that start a server of their own
from tests.serve.support import SOURCE
from tests.support import plugins
from tests.support.origin import Origin


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(origin: Origin) -> AsyncIterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="thresher-cli-"))
    try:
        more = {"THRESHER_WEBHOOK_ALLOW": "127.0.0.1", "PYTHONPATH": plugins.before(str(SOURCE), "good", "bad")}
        environment = origin.environment | more
        async with Served(folder / "data", environment) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cli(server: Served, tmp_path: Path) -> Cli:
    return Cli.of(server, tmp_path)
