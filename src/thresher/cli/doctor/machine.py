"""Checks of the machine and of what was set. They look, and write nothing."""

import difflib
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from thresher.cli.doctor.finding import Finding, missing, ok, warning
from thresher.cli.errors import CommandError
from thresher.cli.preflight import check_fetching
from thresher.settings import GIB, MIB, Settings

LEAST_BYTES, FEW_BYTES = 200 * MIB, 2 * GIB  # a new database takes 60 MB, and up to 1 GB of its log


async def python(settings: Settings) -> Finding:
    """The interpreter; `pyproject.toml` demands 3.11."""
    return ok(f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}")


async def system(settings: Settings) -> Finding:
    """The operating system."""
    found = platform.platform()
    if platform.system() == "Linux":
        return ok(found)
    if platform.system() == "Windows":
        return missing(found, "Run Thresher in the Windows Subsystem for Linux.")
    return warning(found, "Thresher is tested on Linux; elsewhere processes of a killed server may stay.")


async def configured(settings: Settings) -> Finding:
    """Settings that can be understood; the others have ended the command already. And names that mean nothing."""
    try:
        check_fetching(settings)
    except CommandError as error:
        return missing(str(error), "Correct it: docs/settings.md explains every setting.")
    file = os.environ.get("THRESHER_CONFIG")
    if strangers := sorted(_strangers(file)):
        return warning(f"not a setting: {', '.join(strangers)}", "Correct or remove it; it has no effect.")
    count = len(settings.model_fields_set)
    return ok(f"{count} set" + (f", also in {file}" if file else ", in the environment or by flags"))


def _strangers(file: str | None) -> Iterator[str]:
    """What looks like a setting in the environment and in the file, and is none; with what it may have been meant as."""
    known = {f"THRESHER_{name.upper()}": name for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith("THRESHER_") and name not in {*known, "THRESHER_CONFIG"}:
            yield _likely(name, list(known))
    if file is not None:
        for name in tomllib.loads(Path(file).read_text("utf-8")):
            if name not in Settings.model_fields:
                yield _likely(name, list(Settings.model_fields))


def _likely(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.8)
    return f"{name} ({near[0]}?)" if near else name


async def data_dir(settings: Settings) -> Finding:
    """The data dir: ours, writable, with room."""
    folder = settings.data_dir
    place = _existing(folder)
    remedy = "Name another folder with --data-dir or THRESHER_DATA_DIR."
    if not place.is_dir():
        return missing(f"{place} is not a folder", remedy)
    if place == folder and place.stat().st_uid != os.geteuid():
        return missing(f"{folder} belongs to another user", remedy)
    if not os.access(place, os.W_OK | os.X_OK):
        return missing(f"{place} cannot be written to", remedy)
    free = shutil.disk_usage(place).free
    found = f"{folder}{'' if place == folder else ' (made at the first start)'}, {free / GIB:.1f} GiB free"
    if free < LEAST_BYTES:
        return missing(found, "Make room, or name a folder on another disk with --data-dir.")
    if free < FEW_BYTES:
        return warning(found, "Make room: the database alone may take more than 1 GiB.")
    return ok(found)


def _existing(path: Path) -> Path:
    """The path, or what there is of it."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
