"""Packages that add parsers, as if they were installed: real code and real metadata, in folders of their own.

good: one parser, which works. bad: one that works, and all that may be wrong. thready: one that cannot be confined.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from thresher.domain import plugins

FOLDER = Path(__file__).parent.parent / "plugins"


def before(path: str, *names: str) -> str:
    """A PYTHONPATH that has these before what it has."""
    return os.pathsep.join([*(str(FOLDER / name) for name in names), path])


@contextmanager
def installed(*names: str) -> Iterator[None]:
    """In this process, and in those that it starts."""
    known = {*sys.modules}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", before(os.environ.get("PYTHONPATH", ""), *names))
        for name in names:
            patch.syspath_prepend(FOLDER / name)
        _forget()
        try:
            yield
        finally:
            for module in {*sys.modules} - known:
                if module.startswith("acme_"):
                    del sys.modules[module]
    _forget()


def _forget() -> None:
    plugins.entries.cache_clear()
    plugins.installed.cache_clear()
