"""The parts of the benchmark, on a few pages: what would make its figures wrong."""

import gzip
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from bench import compare, contestants, corpus, generated, meter, origin, picture


def test_made_pages_are_the_same_every_time_and_have_what_pages_have() -> None:
    page = generated.page(7)
    assert page == generated.page(7) != generated.page(8)
    for tag in ("<title>", "<nav", "<script", "<style", "<p>", "<a ", "<main>"):
        assert tag in page


def test_pages_come_from_the_folder_compressed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>plain")
    (tmp_path / "b.html.gz").write_bytes(gzip.compress(b"<p>packed"))
    assert [gzip.decompress(page) for page in corpus.pages(tmp_path)] == [b"<p>plain", b"<p>packed"]
    with pytest.raises(ValueError, match=r"no \*\.html"):
        corpus.pages(tmp_path / "nothing")


def test_the_origin_serves_a_page_at_every_address_and_no_robots_txt(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>first")
    (tmp_path / "b.html").write_text("<p>second")
    with origin.running(tmp_path) as (_, port), httpx.Client() as client:
        assert len(set(origin.urls(port, 250))) == 250
        for url in origin.urls(port, 101)[-2:]:
            assert client.get(url).text == ("<p>first" if url.endswith("/p/100") else "<p>second")
        assert client.get(f"http://127.0.0.77:{port}/robots.txt").status_code == 404


def test_the_prototype_proves_that_it_has_every_result(tmp_path: Path) -> None:
    with origin.running(None, median=2000) as (_, port):
        run = contestants.ceiling(origin.urls(port, 30), tmp_path)
    assert run.stored > 30 * 500
    assert run.usage.cpu["all"] > 0 < run.usage.peak


def test_a_result_without_markdown_is_no_result(tmp_path: Path) -> None:
    (out := tmp_path / "out").mkdir()
    (tmp_path / "empty.html").write_text("<script>nothing</script>")
    with (
        origin.running(tmp_path) as (_, port),
        pytest.raises(contestants.Incomplete, match="3 without markdown"),
    ):
        contestants.ceiling(origin.urls(port, 3), out)


def test_the_meter_counts_what_is_used_from_its_start_on() -> None:
    program = """import sys, time
for goal in (0.3, 0.5):
    while time.process_time() < goal: pass
    print(flush=True)
    sys.stdin.readline()"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        watched = meter.Meter(process.pid, lambda _: "python")
        process.stdin.write("\n")
        process.stdout.readline()
        used = watched.usage()
        process.stdin.write("\n")
    assert 0.15 <= used.cpu["python"] <= 0.25
    assert used.peak > 2**20


def test_the_last_line_has_the_ratios() -> None:
    seconds = {"thresher": 2.0, "scrapy": 13.0, "prototype": 1.5}
    assert compare.ratios(seconds) == "ratio to scrapy: 6.50, share of ceiling: 75%"
    assert compare.ratios({"thresher": 2.0}) == "ratio to scrapy: -, share of ceiling: -"
    assert compare.by_cpu({"thresher": 4.0, "scrapy": 18.0}) == "scrapy takes 4.50 times as much a URL"


def test_a_stretch_without_progress_is_no_point_of_the_curves_and_idle_processes_have_none() -> None:
    samples = [
        picture.Sample(0, 0, {"worker": 0.0, "serve": 0.0}, {"worker": 50}),
        picture.Sample(5, 1000, {"worker": 2.0, "serve": 0.0}, {"worker": 60}),
        picture.Sample(10, 1000, {"worker": 2.1, "serve": 0.0}, {"worker": 60}),
        picture.Sample(14, 3000, {"worker": 6.1, "serve": 0.0}, {"worker": 61}),
    ]
    speed, cost, memory = picture.panels(samples)
    assert speed.curves == {"all": [(1000, 200.0), (3000, 500.0)]}
    assert cost.curves == {"worker": [(1000, 2.0), (3000, pytest.approx(2.0))]}
    assert [y for _, y in memory.curves["worker"]] == [50, 60, 60, 61]
    drawn = ElementTree.fromstring(picture.svg("a run", [speed, cost, memory]))
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 3
