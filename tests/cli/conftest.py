"""One running `thresher serve` and one origin for each module of tests; a folder and a command line for each test."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.acceptance.served import Served
from tests.cli.kit import Cli
from tests.serve.conftest import room as room  # for tests that start a server of their own
from tests.support.origin import Origin


@pytest.fixture(scope="module", autouse=True)
def closed_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(origin: Origin) -> AsyncIterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="thresher-cli-"))
    try:
        async with Served(folder / "data", origin.environment) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cli(server: Served, tmp_path: Path) -> Cli:
    return Cli.of(server, tmp_path)
