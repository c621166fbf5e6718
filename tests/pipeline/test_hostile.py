"""Every hostile origin of tests/origins against one worker's tools: the right code for each, and no harm to others.

On uvloop, as in a worker: transports and TLS differ between event loops in what they report.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import trustme
import uvloop
from tests.origins import catalogue, tls
from tests.origins.raw import Exchange, RawOrigin, reply, response
from tests.origins.script import PAGE, PATIENT, Script
from tests.origins.stage import Stage
from tests.pipeline.kit import attempts
from tests.support.memory import forget_peak, peak

from thresher.convert.converter import Converter
from thresher.convert.frame import Frame
from thresher.domain.choices import Choices
from thresher.domain.url import parse
from thresher.net.fetch import Fetcher
from thresher.pipeline.attempt import Attempt
from thresher.pipeline.item import Tools, attempt
from thresher.pipeline.robots import Robots
from thresher.settings import Settings
from thresher.storage import database

MIB = 2**20
CONNECTIONS = 40  # fewer than scripts: each that a script kept for good would be missed
AT_ONCE = 32
NEIGHBOURS = 60
# Bytes, at most. The first is of this process, which is also every origin, and makes and keeps what they send.
OWN_MEMORY, CHILD_MEMORY = 640 * MIB, 512 * MIB
HTML = {"Content-Type": "text/html"}


@dataclass
class Hall:
    """The tools of a worker, and every origin."""

    tools: Tools
    cases: list[tuple[Script, str]]
    neighbour: RawOrigin
    children: dict[int, int] = field(default_factory=dict)  # the peak of each converter child, in bytes

    async def watch(self) -> None:
        """Note what the child of the moment takes: one that has swollen is replaced."""
        while True:
            if (pid := self.tools.converter.pid) is not None:
                with suppress(OSError):
                    self.children[pid] = peak(pid)
            await asyncio.sleep(0.05)

    async def play(self, cases: Iterable[tuple[Script, str]]) -> list[str]:
        """Attempt the cases, many at a time. Returns what was not as the scripts say."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(script: Script, url: str) -> str | None:
            async with room:
                return _wrong(script, await attempts(url, self.tools, script.timeout, Choices()))

        ends = await asyncio.gather(*(one(script, url) for script, url in cases))
        return [wrong for wrong in ends if wrong]

    async def neighbours(self) -> list[str]:
        """Good pages, at the same time and with the same tools."""
        wrong: list[str] = []
        for number in range(NEIGHBOURS):
            [ended] = await attempt(parse(self.neighbour.url(f"/{number}")), self.tools, PATIENT, [Choices()])
            if ended.failure or ended.frame is None or f"neighbour {number}." not in Frame.parse(ended.frame).text:
                wrong.append(f"neighbour {number}: {ended.record}")
        return wrong

    async def all_connections_at_once(self) -> list[str]:
        """As many requests as there are connections, each answered only when all have come."""
        gate = asyncio.Barrier(CONNECTIONS)

        async def together(exchange: Exchange) -> None:
            await gate.wait()
            await exchange.send(response(PAGE, 200, HTML))

        paths = [f"/together/{number}" for number in range(CONNECTIONS)]
        self.neighbour.responders |= dict.fromkeys(paths, together)
        urls = [parse(self.neighbour.url(path)) for path in paths]
        ends = await asyncio.gather(*(attempt(url, self.tools, PATIENT, [Choices()]) for url in urls))
        return [str(end.record) for [end] in ends if end.failure]


def _wrong(script: Script, ended: Attempt) -> str | None:
    code = ended.failure.code if ended.failure else None
    detail = ended.failure.detail if ended.failure else ""
    if code is None and (ended.frame is None or script.sign not in Frame.parse(ended.frame).text):
        return f"{script.name}: came through without the page"
    if code is not script.code or script.says not in detail:
        return f"{script.name}: wanted {script.code or 'the page'} {script.says!r}, was {code or 'a page'} {detail!r}"
    return None if ended.record["code"] == (code or "ok") else f"{script.name}: {ended.record}"


@asynccontextmanager
async def _hall(database_url: str, tmp_path: Path) -> AsyncIterator[Hall]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage(catalogue.SCRIPTS))
        pages = {f"/{n}": reply(PAGE + b"<p>neighbour %d.</p>" % n, headers=HTML) for n in range(NEIGHBOURS)}
        neighbour = await stack.enter_async_context(RawOrigin(pages))
        cases = [(script, stage.url_of(script)) for script in catalogue.SCRIPTS]
        rules = [stage.rule]
        for port, (script, origin) in enumerate(tls.scripts(authority), start=20_000):
            await stack.enter_async_context(origin)
            rules.append(f"{tls.HOST}:{port}=127.0.0.1:{origin.port}")
            cases.append((script, f"https://{tls.HOST}:{port}/"))
        settings = Settings(
            fetch_allow=("127.0.0.0/8",),
            connect_to=tuple(rules),
            extra_ca=tmp_path / "ca.pem",
            fetches_per_worker=CONNECTIONS,
            connect_timeout=20,
            max_body_bytes=12 * MIB,
            max_decoded_bytes=32 * MIB,
        )
        pool = await database.open_pool(database_url, "tests", size=10)
        stack.push_async_callback(pool.close)
        fetcher = await stack.enter_async_context(Fetcher.from_settings(settings))
        converter = Converter(
            timeout=PATIENT, memory_bytes=512 * MIB, max_decoded_bytes=32 * MIB, max_output_bytes=64 * MIB
        )
        await converter.start()
        stack.push_async_callback(converter.close)
        hall = Hall(Tools(fetcher, converter, Robots(fetcher, pool, settings)), cases, neighbour)
        watcher = asyncio.create_task(hall.watch())
        yield hall
        watcher.cancel()
        await asyncio.wait({watcher})


def _open_sockets() -> int:
    return len(psutil.Process().net_connections("tcp"))


def test_the_catalogue_has_eighty_scripts_and_each_its_own_name() -> None:
    names = [script.name for script in catalogue.SCRIPTS]
    assert len(names) == len(set(names)) >= 80


def test_every_hostile_origin_ends_with_its_code_and_harms_nobody(database_url: str, tmp_path: Path) -> None:
    problems: list[str] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(str(context)))
        sockets = _open_sockets()
        start = forget_peak()
        async with _hall(database_url, tmp_path) as hall:
            slow = [case for case in hall.cases if case[0].timeout < PATIENT]
            others = [case for case in hall.cases if case[0].timeout == PATIENT]
            for cases in (slow, others):
                for wrong in await asyncio.gather(hall.play(cases), hall.neighbours()):
                    problems.extend(wrong)
            problems.extend(await hall.all_connections_at_once())
            assert peak() - start < OWN_MEMORY
            assert 0 < max(hall.children.values()) < CHILD_MEMORY
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert _open_sockets() == sockets
        gc.collect()

    uvloop.run(run())
    assert not problems, "\n".join(problems)
