"""Parsers of installed packages, in the converter child: imported before it is confined, and run like those that are built in."""

import os
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from thresher.domain import plugins
from thresher.domain.failure import FailureCode, ItemFailed
from thresher.plugin import NoMatch, Page

_functions: dict[str, Callable[[Page], Any]] = {}


class Unconfinable(Exception):
    """A package starts threads when it is imported. A confinement would not hold for them; the message names it."""


def load() -> list[str]:
    """Import all that parses, for good. Returns why some is left out. Raises Unconfinable."""
    found = plugins.installed()
    _alone("a package with parsers")
    faults = [*found.faults]
    for name, one in found.plugins.items():
        try:
            module, _, function = one.plugin.parse.partition(":")
            _functions[name] = getattr(import_module(module), function)
        except (Exception, SystemExit) as error:
            faults.append(plugins.fault(name, one.package, f"{type(error).__name__}: {error}"))
        _alone(f"{name} of {one.package}")
    return faults


def run(name: str, html: str, url: str) -> dict[str, Any]:
    """What it makes of a page. Raises ItemFailed(parser_no_match), or whatever the parser raises."""
    function = _functions.get(name)
    if function is None:
        raise ItemFailed(FailureCode.PARSER_FAILED, f"This worker has no parser {name}.")
    try:
        made = function(Page(html, url))
    except NoMatch as reason:
        said = str(reason).encode("utf-8", "replace").decode().replace("\0", "")
        raise ItemFailed(FailureCode.PARSER_NO_MATCH, said[:500] or "The parser found nothing.") from None
    except Exception:
        raise
    except BaseException as error:  # an exit, an interrupt
        raise RuntimeError("the parser wanted to end the process") from error
    if not isinstance(made, dict):
        raise TypeError(f"the parser made no dict, but {type(made).__name__}")
    return made


def _alone(whose: str) -> None:
    try:
        threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208 - also those that Python does not know
    except OSError:
        threads = threading.active_count()
    if threads > 1:
        raise Unconfinable(f"{whose} starts threads when it is imported")
