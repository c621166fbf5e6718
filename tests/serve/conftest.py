"""A private folder per test, and the promise that no process of it is left."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serve.support import processes_with


@pytest.fixture(autouse=True)
def closed_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder of the test's own, whose random name also marks the processes that work for it."""
    with private_room() as folder:
        yield folder


@contextlib.contextmanager
def private_room() -> Iterator[Path]:
    """The same for what several tests share."""
    folder = Path(tempfile.mkdtemp(prefix="thresher-serve-"))
    yield folder
    left = processes_with(folder.name)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    assert left == [], "processes were left behind"
