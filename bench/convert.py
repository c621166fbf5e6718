"""Milliseconds a page, by step: `python bench/convert.py FOLDER [ROUNDS]`, with FOLDER/pages/*.html.gz or FOLDER/*.html.gz.

In this process first (the best of the rounds for each page), then through a converter child.
"""

import asyncio
import gc
import statistics
import sys
import time
from pathlib import Path

from thresher.convert.convert import convert
from thresher.convert.converter import Converter
from thresher.convert.document import Source
from thresher.convert.frame import Frame, encode
from thresher.convert.laps import Laps

MIB = 2**20


def sources(folder: Path) -> list[Source]:
    files = sorted((folder / "pages").glob("*.html.gz")) or sorted(folder.glob("*.html.gz"))
    return [Source(f"https://example.com/{file.name}", file.read_bytes(), "text/html", "gzip") for file in files]


def laps_of(source: Source) -> tuple[dict[str, float], int, int]:
    laps = Laps(time.process_time)
    document = convert(source, max_decoded_bytes=64 * MIB, laps=laps)
    frame = encode(source, document, {})
    laps.lap("encode")
    return laps.ms, len(frame), len(document.markdown)


def in_process(pages: list[Source], rounds: int) -> None:
    best: list[dict[str, float]] = []
    sizes = []
    for page in pages:
        runs = [laps_of(page) for _ in range(rounds)]
        best.append(min((run[0] for run in runs), key=lambda ms: sum(ms.values())))
        sizes.append(runs[0][1])
    print(f"{len(pages)} pages, frames of {statistics.mean(sizes) / 1024:.0f} KiB on average; CPU ms a page")
    print(f"{'step':12} {'median':>8} {'mean':>8} {'max':>8}")
    for step in [*best[0], "total"]:
        values = [sum(ms.values()) if step == "total" else ms[step] for ms in best]
        print(f"{step:12} {statistics.median(values):8.3f} {statistics.mean(values):8.3f} {max(values):8.2f}")
    frames = [encode(page, convert(page, max_decoded_bytes=64 * MIB), {}) for page in pages[:20]]
    start = time.perf_counter()
    for frame in frames:
        Frame.parse(frame).document_part()
    print(f"{'read back':12} {(time.perf_counter() - start) * 1000 / len(frames):8.3f}")


async def through_a_child(pages: list[Source], rounds: int) -> None:
    converter = Converter(timeout=60, memory_bytes=1024 * MIB, max_decoded_bytes=64 * MIB, max_output_bytes=64 * MIB)
    start = time.perf_counter()
    await converter.start()
    print(f"a child starts in {(time.perf_counter() - start) * 1000:.0f} ms")
    await asyncio.gather(*map(converter.convert, pages))
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        await asyncio.gather(*map(converter.convert, pages))
    count = rounds * len(pages)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(
        f"through a child: {wall * 1000 / count:.3f} ms a page, of which {cpu * 1000 / count:.3f} ms CPU in the parent"
    )
    await converter.close()


if __name__ == "__main__":
    corpus = sources(Path(sys.argv[1]))
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    gc.freeze()
    in_process(corpus, times)
    asyncio.run(through_a_child(corpus, times))
