"""Every way in which a converter child can end: it costs one page one named failure, and its neighbours nothing."""

import asyncio
from pathlib import Path

import psutil
import pytest
from tests.convert.test_sandbox import make, page

from thresher.convert import process
from thresher.convert.document import Source
from thresher.domain.failure import FailureCode, ItemFailed

CRAFTED = (str(Path(__file__).parent / "crafted_child.py"),)
DEATHS = {
    "segfault": "died twice of this page: signal 11 (SIGSEGV), then signal 11 (SIGSEGV)",
    "abort": "signal 6 (SIGABRT)",
    "killed": "signal 9 (SIGKILL)",
    "exit": "exit status 3",
    "leave": "exit status 4",
    "garbage": "an answer longer than any it may give",
    "no json": "a garbled answer",
    "no object": "a garbled answer",
    "no words": "a garbled answer",
    "no such code": "a garbled answer",
    "endless header": "an answer longer than any it may give",
    "endless body": "an answer longer than any it may give",
}


@pytest.fixture(autouse=True)
def crafted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PROGRAM", CRAFTED)


def crafty(deed: str, size: int = 0) -> Source:
    return Source(f"https://barn.example/{deed}", b"<p>" + b"x" * size, "text/html")


async def between_neighbours(source: Source, **limits: float) -> ItemFailed:
    """The failure of a page that others wait behind, all of which come out right."""
    converter = await make(**limits)
    try:
        sources = [page(0), source, page(1), page(2), page(3)]
        results = await asyncio.gather(*map(converter.convert, sources), return_exceptions=True)
        failed = results.pop(1)
        assert [each.facts["title"] for each in results] == ["0", "1", "2", "3"]
        assert isinstance(failed, ItemFailed)
        return failed
    finally:
        await converter.close()


@pytest.mark.parametrize("deed", DEATHS)
async def test_a_page_that_ends_its_child_fails_by_name_and_harms_no_neighbour(deed: str) -> None:
    failed = await between_neighbours(crafty(deed))
    assert failed.failure.code is FailureCode.CONVERSION_FAILED
    assert DEATHS[deed] in failed.failure.detail


@pytest.mark.parametrize("deed", ["hang", "hang up"])
async def test_a_child_that_falls_silent_is_ended_by_the_clock(deed: str) -> None:
    failed = await between_neighbours(crafty(deed), timeout=1.5)
    assert failed.failure.code is FailureCode.CONVERSION_LIMIT
    assert failed.failure.detail == "time: not done after 1.5 s"


async def test_a_page_over_its_processor_time_fails_at_once_by_that_name() -> None:
    failed = await between_neighbours(crafty("spin"), cpu_seconds=0.2)
    assert failed.failure.code is FailureCode.CONVERSION_LIMIT
    assert failed.failure.detail == "cpu: not done after 0.2 s of processor time"


async def test_processor_time_is_counted_anew_for_each_page() -> None:
    converter = await make(cpu_seconds=0.5)
    try:
        pid, used = converter.pid, 0.0
        while used < 1.0:
            await converter.convert(Source("https://barn.example/", b"<p>grain" * 20_000, "text/html"))
            used = sum(psutil.Process(pid).cpu_times()[:2])
        assert converter.pid == pid
    finally:
        await converter.close()


async def test_a_child_that_stops_reading_holds_up_only_until_the_clock_ends_it() -> None:
    converter = await make(timeout=2.0)
    try:
        large = Source("https://barn.example/", b"<p>" + b"x" * 2**20, "text/html")  # more than the socket takes
        results = await asyncio.gather(
            *(converter.convert(each) for each in (crafty("hang"), large, page(1))), return_exceptions=True
        )
        assert isinstance(results[0], ItemFailed)
        assert results[2].facts["title"] == "1"
        assert results[1].facts["text_chars"] == 2**20
    finally:
        await converter.close()


async def test_a_child_that_a_page_has_swollen_is_replaced_without_a_word() -> None:
    converter = await make()
    try:
        pid = converter.pid
        await converter.convert(page("before"))
        assert converter.pid == pid
        first, second = await asyncio.gather(converter.convert(crafty("swell")), converter.convert(page("next")))
        assert first.facts["kind"] == "html"
        assert second.facts["title"] == "next"
        assert converter.pid != pid
    finally:
        await converter.close()
