"""Rounds of mixed pages through a real `thresher serve`; after each, what its processes hold when nothing is under way.

Nothing may grow from the second round, in which everything has been used once, to the last: not memory, not open
descriptors, not processes. Every item must be settled by name, and nothing be left when the server has stopped.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.served import Served
from tests.serve.support import processes_with
from tests.soak import web
from tests.soak.watch import Holding, Watch, look

from thresher.domain.failure import FailureCode

MIB = 2**20
# Impatient, so that the slow ones take seconds and not the run.
SETTINGS = {
    "THRESHER_ATTEMPT_TIMEOUT": "6",
    "THRESHER_RETRIES": "1",
    "THRESHER_MAX_BODY_BYTES": str(8 * MIB),
    "THRESHER_CONVERT_MEMORY_BYTES": str(512 * MIB),
    "THRESHER_LOG_LEVEL": "error",
}
CONVERTER_CAP = 512 * MIB + 160 * MIB  # beyond what it has at its start
KEPT_SECONDS = 60.0  # in which kept connections must be closed
NEVER = {FailureCode.INTERNAL, FailureCode.WORKER_LOST, FailureCode.CANCELLED}
# Growth from the second round to the last that is noise: a share, and bytes.
SHARE, NOISE, DESCRIPTORS = 0.10, 12 * MIB, 8
IN_THEIR_OWN_WAY = {"converter", "postgresql"}  # replaced; files kept open up to a limit of its own


@dataclass(frozen=True)
class Round:
    """One batch, and what was held after it."""

    seconds: float
    codes: Counter[str]
    wrong: list[str]
    held: Holding
    largest_converter: int


async def run(data_dir: Path, rounds: int, pages: int, **settings: str) -> tuple[list[Round], list[str]]:
    """All rounds, each reported as it ends, and what is wrong with them; an empty list is a pass."""
    done: list[Round] = []
    async with web.Web() as origin:
        served = Served(data_dir, origin.environment | SETTINGS | settings)
        async with served:
            for number in range(rounds):
                done.append(await _round(served, origin, number, pages))
                print(_line(number, done[-1]), flush=True)
            workers = served.processes("main work")
        wrong = list(_faults(done))
        if left := processes_with(str(data_dir)):
            wrong.append(f"processes are left: {left}")
        if alive := [each for each in workers if each.is_running()]:
            wrong.append(f"workers are left: {alive}")
    return done, wrong


async def _round(served: Served, origin: web.Web, number: int, pages: int) -> Round:
    begun = time.monotonic()
    async with Watch(served.root) as watch:
        batch = await served.create(web.urls(number, pages))
        await served.until_completed(batch["id"], seconds=600)
    seconds = time.monotonic() - begun
    items = await served.items(batch["id"], limit=1000)
    ends = {item["url"]: item["error"]["code"] if "error" in item else "ok" for item in items}
    wrong = list(_ill_ends(ends, pages))
    try:
        await asyncio.wait_for(origin.all_closed.wait(), KEPT_SECONDS)
    except TimeoutError:
        wrong.append("connections are still open")
    return Round(seconds, Counter(ends.values()), wrong, look(served.root), watch.largest_converter)


def _ill_ends(ends: dict[str, str], pages: int) -> Iterator[str]:
    if len(ends) != pages:
        yield f"{pages - len(ends)} items were not settled"
    for url, code in ends.items():
        if code in NEVER or code not in {"ok", *FailureCode} or (code != "ok" and web.is_ordinary(url)):
            yield f"{url}: {code}"


def _faults(rounds: list[Round]) -> Iterator[str]:
    for number, each in enumerate(rounds, 1):
        yield from (f"round {number}: {what}" for what in each.wrong)
        if each.largest_converter > CONVERTER_CAP:
            yield f"round {number}: a converter had {each.largest_converter // MIB} MiB"
    early, late = rounds[min(1, len(rounds) - 1)].held, rounds[-1].held
    for kind, size in late.memory.items():  # a converter's swells and is given back, under its own cap
        if kind != "converter" and size > early.memory[kind] * (1 + SHARE) + NOISE:
            yield f"{kind}: memory has grown from {early.memory[kind] // MIB} to {size // MIB} MiB"
    for kind, files in late.descriptors.items():
        if kind not in IN_THEIR_OWN_WAY and files > early.descriptors[kind] + DESCRIPTORS:
            yield f"{kind}: descriptors have grown from {early.descriptors[kind]} to {files}"
    for kind, count in late.processes.items():
        if count > early.processes[kind] and not (kind == "converter" and count <= late.processes["worker"]):
            yield f"{kind}: {early.processes[kind]} processes became {count}"


def _line(number: int, done: Round) -> str:
    memory = ", ".join(f"{kind} {size / MIB:.0f}" for kind, size in sorted(done.held.memory.items()))
    files = ", ".join(f"{kind} {count}" for kind, count in sorted(done.held.descriptors.items()))
    codes = ", ".join(f"{code} {count}" for code, count in done.codes.most_common())
    return (
        f"round {number + 1}: {done.seconds:.0f} s; MiB: {memory}; largest converter {done.largest_converter // MIB}; "
        f"descriptors: {files}; {codes}"
    )
