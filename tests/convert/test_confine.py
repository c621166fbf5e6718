"""What a converter child cannot do, whatever has taken it over: tried for real, in a process confined like it."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.convert.test_sandbox import MIB, make

from thresher.convert import seccomp

REFUSED = ("EPERM", "EACCES", "ENOSYS", "EMFILE", "MemoryError")
NEEDED = ("a library", "a thread", "the limits read", "a signal to itself")


@pytest.fixture(scope="module", params=["pages", "documents"])
def tried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The trials in a child of each kind. One for documents may pair sockets, as its library does, and nothing else."""
    documents = ["documents"] if request.param == "documents" else []
    secret = tmp_path_factory.mktemp("private") / "secret"
    secret.write_text("secret")
    probe = Path(__file__).parent / "probe.py"
    done = subprocess.run([sys.executable, str(probe), str(secret), *documents], capture_output=True, check=True)
    assert secret.read_text() == "secret"
    start = done.stdout.index(b'{"socket')
    if lacking := json.loads(done.stdout[8:start])["missing"]:
        pytest.skip(f"this kernel does not have {lacking}")
    found: dict[str, str] = json.loads(done.stdout[start:])
    if documents:
        assert found.pop("socketpair") == "done"
    return found


def test_nothing_that_a_page_in_control_could_try_succeeds(tried: dict[str, str]) -> None:
    assert {name: came for name, came in tried.items() if name not in NEEDED and came not in REFUSED} == {}
    assert len(tried) >= 35


def test_no_socket_of_any_family_can_be_made(tried: dict[str, str]) -> None:
    assert {came for name, came in tried.items() if name.startswith("socket")} == {"EPERM"}


def test_what_converters_need_still_works(tried: dict[str, str]) -> None:
    assert {name: tried[name] for name in NEEDED} == dict.fromkeys(NEEDED, "done")


async def test_a_real_child_is_confined_and_inherits_no_descriptor() -> None:
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    os.set_inheritable(writing, True)
    converter = await make()
    try:
        assert converter.missing == ()
        status = await asyncio.to_thread(Path(f"/proc/{converter.pid}/status").read_text)
        assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
        assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
        child = psutil.Process(converter.pid)
        assert child.cwd() == "/"
        assert child.num_fds() == 6  # standard input, output and error, the protocol's two, its own statm
        assert child.rlimit(psutil.RLIMIT_AS)[1] < 2048 * MIB
    finally:
        await converter.close()
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize(("column", "header"), [(0, "x86_64-linux-gnu/asm/unistd_64.h"), (1, "asm-generic/unistd.h")])
def test_every_number_is_that_of_its_name(column: int, header: str) -> None:
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip("the kernel's headers are not installed")
    numbers = dict(re.findall(r"^#define __NR(?:3264)?_(\w+) (\d+)", path.read_text(), re.MULTILINE))
    named = {name: each[column] for name, each in seccomp.REFUSED.items() if name in numbers}
    assert named == {name: int(numbers[name]) for name in named}
    assert len(named) > 60
