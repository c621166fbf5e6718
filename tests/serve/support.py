"""What the tests of the embedded database and of the supervisor share: waiting on conditions, looking at processes."""

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import thresher

SOURCE = Path(thresher.__file__).parent.parent
BOUND = 30.0


async def until(condition: Callable[[], bool], what: str, seconds: float = BOUND) -> None:
    """Return as soon as the condition holds; fail the test if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s in vain: {what}")
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs: a zombie, which only waits for its parent, does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # gone before the file was opened, or before it was read
        return False
    return state not in "ZX"


def status_of(pid: int) -> dict[str, str]:
    """What the kernel says of a process: /proc/PID/status, field by field."""
    fields = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: value.strip() for name, _, value in fields}


def processes_with(mark: str) -> list[int]:
    """The running processes that have the mark in their environment, their arguments or their folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            seen = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            seen += os.fsencode((entry / "cwd").readlink())
        except OSError:
            continue
        if mark.encode() in seen and alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def environment(**more: str) -> dict[str, str]:
    """The environment to start Thresher in: ours, without settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("THRESHER_") and k != "DATABASE_URL"}
    return kept | {"PYTHONPATH": str(SOURCE)} | more


def as_ordinary_user(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python script as an unprivileged user with no HOME.

    As root that is `nobody`, who may not be able to reach this interpreter or this checkout (they may lie below
    /root): so a mount namespace of its own shows them to it in another place, with permissions as they are.
    """
    if os.geteuid() != 0:
        env = {k: v for k, v in environment().items() if k != "HOME"}
        return _run([sys.executable, "-c", script, *arguments], env)
    with tempfile.TemporaryDirectory(prefix="thresher-stage-") as stage:
        return _run_on_stage(Path(stage), script, arguments)


def _run_on_stage(stage: Path, script: str, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    shown = {"python": sys.base_prefix, "site": sysconfig.get_paths()["purelib"], "source": str(SOURCE)}
    for name in shown:
        (stage / name).mkdir()
    for folder in (stage, *stage.iterdir()):
        folder.chmod(0o755)
    mounts = [f"mount --bind '{origin}' '{stage / name}'" for name, origin in shown.items()]
    program = stage / "python" / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    drop = f"exec setpriv --reuid nobody --regid nogroup --clear-groups '{program}' \"$@\""
    unshare = shutil.which("unshare")
    if unshare is None or _run([unshare, "--mount", "true"], {}).returncode != 0:
        pytest.skip("this machine has no mount namespaces to show the interpreter to another user")
    command = [unshare, "--mount", "--propagation", "private", "sh", "-ec", "\n".join([*mounts, drop]), "sh"]
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{stage / 'source'}:{stage / 'site'}",
        # An interpreter built as a shared library would otherwise take a namesake of the system's.
        "LD_LIBRARY_PATH": str(stage / "python" / "lib"),
    }
    return _run([*command, "-B", "-c", script, *arguments], env)


def _run(argv: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=100, check=False)
