"""Conversions in a child that is killed, hangs, swells or is simply busy."""

import asyncio
import gc
import gzip
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import psutil
import pytest

from thresher.convert.converter import Converter
from thresher.convert.document import How, Source
from thresher.convert.frame import Frame
from thresher.convert.process import SpawnFailed
from thresher.domain.choices import Content
from thresher.domain.failure import FailureCode, ItemFailed

MIB = 2**20
STORY = (Path(__file__).parent.parent / "pages" / "parsers" / "story.html").read_bytes()
# Converts in about two seconds: every link is another reference that only the full URL parser can join.
SLOW = b"<p>" + b"".join(b'<a href="../%d/./ /">x</a>' % n for n in range(120_000))


def page(token: object) -> Source:
    return Source("https://barn.example/", f"<title>{token}</title><p>page {token}".encode(), "text/html")


def slow(token: object = "slow") -> Source:
    return Source("https://barn.example/", f"<title>{token}</title>".encode() + SLOW, "text/html")


async def make(**limits):
    converter = Converter(
        **{
            "timeout": 60.0,
            "memory_bytes": 512 * MIB,
            "max_decoded_bytes": 64 * MIB,
            "max_output_bytes": 64 * MIB,
            **limits,
        }
    )
    await converter.start()
    return converter


@pytest.fixture
async def converter():
    made = await make()
    yield made
    await made.close()


async def busy(pid: int) -> None:
    """Return once the child has been computing for a while, by its own CPU clock."""
    await asyncio.to_thread(_watch_the_clock, psutil.Process(pid))


def _watch_the_clock(child: psutil.Process) -> None:
    start = child.cpu_times().user
    while child.cpu_times().user < start + 0.1:
        time.sleep(0.005)


async def works(converter: Converter) -> bool:
    return (await converter.convert(page("after"))).facts["title"] == "after"


async def failure_of(conversion) -> tuple[FailureCode, str]:
    with pytest.raises(ItemFailed) as caught:
        await conversion
    return caught.value.failure.code, caught.value.failure.detail


async def test_a_page_comes_back_as_facts_and_a_frame(converter):
    source = Source("https://barn.example/a", gzip.compress(b"<title>T</title><a href=/b>b</a>"), "text/html", "gzip")
    converted = await converter.convert(source, {"status": 200})
    assert {key: converted.facts[key] for key in ("kind", "charset", "title", "links")} == {
        "kind": "html",
        "charset": "windows-1252",
        "title": "T",
        "links": 1,
    }
    assert {"decompress", "parse", "markdown", "encode"} <= converted.facts["ms"].keys()
    frame = Frame.parse(converted.frame)
    assert frame.body == source.body
    assert frame.links == ["https://barn.example/b"]
    assert frame.header["meta"]["status"] == 200
    story = Source("https://barn.example/b", STORY, "text/html")
    main = await converter.convert(story, {}, How(content=Content.MAIN))
    assert main.facts["content"] == Frame.parse(main.frame).header["content"] == "main"
    assert "cookies" not in Frame.parse(main.frame).text
    assert "main" in main.facts["ms"]
    assert "main" not in converted.facts["ms"]


async def test_fifty_concurrent_conversions_each_get_their_own_back(converter):
    found = await asyncio.gather(*(converter.convert(page(f"token-{n}")) for n in range(50)))
    assert [each.facts["title"] for each in found] == [f"token-{n}" for n in range(50)]
    assert [Frame.parse(each.frame).markdown for each in found] == [f"page token-{n}" for n in range(50)]


async def test_a_body_larger_than_every_buffer_on_the_way_comes_back(converter):
    body = b"<p>" + os.urandom(4 * MIB).hex().encode()
    converted = await asyncio.wait_for(converter.convert(Source("https://barn.example/", body, "text/html")), 60)
    assert Frame.parse(converted.frame).body == body


async def test_a_page_that_fails_carries_the_childs_code_and_harms_no_other(converter):
    pid = converter.pid
    bad = Source("https://barn.example/", b"not gzip", "text/html", "gzip")
    binary = Source("https://barn.example/", b"%!PS-Adobe-3.0", "application/postscript")
    results = await asyncio.gather(*map(converter.convert, (bad, page(1), binary, page(2))), return_exceptions=True)
    assert [each.failure.code for each in results[::2]] == [
        FailureCode.BAD_ENCODING,
        FailureCode.UNSUPPORTED_CONTENT,
    ]
    assert [each.facts["title"] for each in results[1::2]] == ["1", "2"]
    assert converter.pid == pid


async def test_a_failure_that_is_forgotten_keeps_no_body(converter):
    gc.disable()
    try:
        try:
            await converter.convert(Source("https://barn.example/", b"not gzip", "text/html", "gzip"))
        except ItemFailed as failed:
            failure = weakref.ref(failed)
        await asyncio.sleep(0)  # the loop lets go of what has just woken this task
        assert failure() is None, "nothing but its frames held the body"
    finally:
        gc.enable()


async def test_a_child_killed_while_computing_costs_nobody_anything(converter):
    pid = converter.pid
    waiting = [asyncio.create_task(converter.convert(each)) for each in (slow(), page("next"), page("last"))]
    await busy(pid)
    os.kill(pid, signal.SIGKILL)
    assert [(await each).facts["title"] for each in waiting] == ["slow", "next", "last"]
    assert converter.pid != pid
    assert not psutil.pid_exists(pid)


async def test_a_page_that_two_children_died_of_fails_by_name(converter):
    waiting = [asyncio.create_task(converter.convert(each)) for each in (slow(), page("next"))]
    killed = []
    while len(killed) < 2:
        await asyncio.sleep(0)
        if (pid := converter.pid) is not None and pid not in killed:
            await busy(pid)
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
    code, detail = await failure_of(waiting[0])
    assert code is FailureCode.CONVERSION_FAILED
    assert "twice" in detail
    assert "signal 9" in detail
    assert (await waiting[1]).facts["title"] == "next"


async def test_a_child_that_dies_idle_is_replaced_before_it_costs_an_item_a_try(converter):
    for _ in range(3):
        child = psutil.Process(converter.pid)
        child.kill()
        await asyncio.to_thread(psutil.wait_procs, [child], 10)
        assert await works(converter)


async def test_a_page_over_its_time_is_ended_and_the_next_succeeds():
    converter = await make(timeout=0.2)
    try:
        pid = converter.pid
        waiting = [asyncio.create_task(converter.convert(each)) for each in (slow(), page("next"))]
        code, detail = await failure_of(waiting[0])
        assert code is FailureCode.CONVERSION_LIMIT
        assert "time" in detail
        assert (await waiting[1]).facts["title"] == "next"
        assert converter.pid != pid
        assert not psutil.pid_exists(pid)
    finally:
        await converter.close()


async def test_a_page_over_the_memory_limit_is_ended_and_the_next_succeeds():
    converter = await make(memory_bytes=48 * MIB)
    try:
        pid = converter.pid
        code, detail = await failure_of(converter.convert(slow()))
        assert code in (FailureCode.CONVERSION_LIMIT, FailureCode.CONVERSION_FAILED)
        assert "memory" in detail or "died" in detail
        assert await works(converter)
        assert converter.pid != pid
    finally:
        await converter.close()


async def test_a_page_over_the_output_limit_fails_by_name_and_the_child_stays():
    converter = await make(max_output_bytes=10_000)
    try:
        pid = converter.pid
        big = Source("https://barn.example/", b"<p>" + b"grain " * 10_000, "text/html")
        code, detail = await failure_of(converter.convert(big))
        assert code is FailureCode.CONVERSION_LIMIT
        assert "output" in detail
        assert await works(converter)
        assert converter.pid == pid
    finally:
        await converter.close()


async def test_a_bomb_fails_by_name_and_the_child_stays(converter):
    pid = converter.pid
    bomb = Source("https://barn.example/", gzip.compress(bytes(80 * MIB)), "text/html", "gzip")
    assert (await failure_of(converter.convert(bomb)))[0] is FailureCode.DECOMPRESSION_BOMB
    assert await works(converter)
    assert converter.pid == pid


async def test_cancelled_conversions_do_not_put_others_out_of_step(converter):
    tasks = [asyncio.create_task(converter.convert(slow() if n == 0 else page(n))) for n in range(9)]
    await busy(converter.pid)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in results[::2])
    assert [each.facts["title"] for each in results[1::2]] == ["1", "3", "5", "7"]
    assert await works(converter)


async def test_what_cannot_be_sent_to_the_child_fails_alone(converter):
    unsayable = Source("https://barn.example/", b"", "text/html; \udcff")
    sources = [slow(), page(1), unsayable, page(2)]  # the third is handed over when the first is done
    results = await asyncio.gather(*(converter.convert(source) for source in sources), return_exceptions=True)
    assert isinstance(results[2], TypeError)
    assert [results[n].facts["title"] for n in (0, 1, 3)] == ["slow", "1", "2"]


async def test_ctrl_c_is_the_parents_to_handle(converter):
    pid = converter.pid
    os.kill(pid, signal.SIGINT)
    assert await works(converter)
    assert converter.pid == pid


async def test_the_child_does_not_inherit_the_parents_secrets(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@db/")
    converter = await make()
    try:
        assert "DATABASE_URL" not in psutil.Process(converter.pid).environ()
    finally:
        await converter.close()


async def test_close_leaves_no_process_and_no_descriptor_and_fails_what_waits():
    ourselves = psutil.Process()
    await (await make()).close()  # whatever the event loop opens once is open now
    before = ourselves.num_fds()
    converter = await make()
    pid = converter.pid
    waiting = [asyncio.create_task(converter.convert(each)) for each in (slow(), page(1), page(2))]
    await busy(pid)
    await converter.close()
    await converter.close()
    for task in waiting:
        with pytest.raises(RuntimeError, match="closed"):
            await task
    with pytest.raises(RuntimeError, match="not running"):
        await converter.convert(page("late"))
    assert not psutil.pid_exists(pid)
    assert converter.pid is None
    assert ourselves.num_fds() == before


async def test_a_replacement_leaks_no_descriptor(converter):
    ourselves = psutil.Process()
    assert await works(converter)
    before = ourselves.num_fds()
    for _ in range(3):
        os.kill(converter.pid, signal.SIGKILL)
        assert await works(converter)
    assert ourselves.num_fds() == before


async def test_where_no_child_can_be_started_it_says_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(SpawnFailed, match="cannot be started"):
        await make()


async def test_conversions_fail_clearly_when_a_replacement_cannot_be_started(converter, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        os.kill(converter.pid, signal.SIGKILL)
        with pytest.raises(SpawnFailed, match="exit status 1"):
            await asyncio.wait_for(converter.convert(page(1)), 30)
    assert await works(converter)


def test_the_child_dies_with_its_parent():
    parent_code = """
import asyncio
from thresher.convert.converter import Converter
async def main():
    converter = Converter(timeout=60, memory_bytes=2**29, max_decoded_bytes=2**20, max_output_bytes=2**20)
    await converter.start()
    print(converter.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    gone, alive = psutil.wait_procs([child], timeout=10)
    assert (len(gone), len(alive)) == (1, 0)


def test_what_a_library_prints_does_not_get_between_the_messages():
    code = """
import os, sys
from thresher.convert import child
requests, answers = child._take_over_stdio()
print("printed by python", flush=True)
os.write(1, b"printed by C")
child._send(answers, {"ready": True})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=Path.cwd())
    assert done.stdout.endswith(b'{"ready":true}')
    assert b"printed" not in done.stdout
    assert b"printed by python" in done.stderr
    assert b"printed by C" in done.stderr
