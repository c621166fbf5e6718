"""Pages a second and core, and memory, by format: Thresher beside its bare libraries and markitdown.

`python -m bench.documents [--corpus DIR] [--rounds 3] [--peers PYTHON]`. Without a corpus the documents are generated. Every
contestant runs in a process of its own, first over all files to be warm, then `rounds` times; the best round of each file counts.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import psutil
from tests.files import ole, pdf, zipped

from thresher.convert.converter import Converter, DocumentLimits
from thresher.convert.document import Source
from thresher.convert.frame import Frame

MIB = 2**20
SENTENCE = "The harvest of the northern fields was weighed, dried and stored before the first rain came. "
SUFFIXES = frozenset({".pdf", ".docx", ".pptx", ".xlsx", ".xls", ".doc", ".ppt", ".odt", ".ods", ".rtf", ".epub", ".eml", ".msg"})  # fmt: skip


def generate(folder: Path) -> None:
    """A few documents of each format that the contestants have in common, of the size of everyday ones."""
    rows = [["field", "crop", "t/ha"], *([f"field {n}", "wheat", f"{n / 7:.2f}"] for n in range(12))]
    for n in range(4):
        pages = [
            pdf.paragraphs(f"Chapter {m}", *[SENTENCE[: 70 + (m + k) % 20] for k in range(9)]) + b"\n" + pdf.table(rows)
            for m in range(25)
        ]
        (folder / f"report{n}.pdf").write_bytes(pdf.pdf(*pages, info={"Title": f"Report {n}"}))
        body = "".join(
            zipped.heading(f"Chapter {m}") + zipped.paragraph(SENTENCE * 5) * 4 + zipped.grid(rows) + zipped.BREAK
            for m in range(25)
        )
        (folder / f"report{n}.docx").write_bytes(zipped.package(zipped.docx(body)))
        slides = [(f"Slide {m}", *[SENTENCE] * 5) for m in range(25)]
        (folder / f"show{n}.pptx").write_bytes(zipped.package(zipped.pptx(*slides)))
        book = {f"Sheet {m}": [[f"row {k}", k, k / 3, "wheat"] for k in range(100)] for m in range(10)}
        (folder / f"book{n}.xlsx").write_bytes(zipped.package(zipped.xlsx(book)))
        (folder / f"book{n}.xls").write_bytes(ole.xls(book))
        chapters = [f"<h1>Chapter {m}</h1>" + f"<p>{SENTENCE * 5}</p>" * 6 for m in range(25)]
        (folder / f"novel{n}.epub").write_bytes(zipped.package(zipped.epub(*chapters)))


async def thresher(files: list[Path], rounds: int) -> dict[str, object]:
    """Processor seconds of both processes for each file, its pages, and the child's memory."""
    limits = DocumentLimits()
    converter = Converter(
        timeout=60, memory_bytes=1024 * MIB, max_decoded_bytes=64 * MIB, max_output_bytes=256 * MIB, documents=limits
    )
    await converter.start()
    best, pages, most = {}, {}, 0
    try:
        for turn in range(rounds + 1):
            for file in files:
                before = _spent(converter)
                converted = await converter.convert(Source("https://bench.example/", file.read_bytes(), name=file.name))
                if turn:
                    best[file.name] = min(best.get(file.name, 1e9), _spent(converter) - before)
                pages[file.name] = len(Frame.parse(converted.frame).pages)
                most = max(most, psutil.Process(converter.documents_pid).memory_info().rss)
    finally:
        await converter.close()
    return {"cpu": best, "pages": pages, "rss": most}


def _spent(converter: Converter) -> float:
    """Of this process and the children for pages and for documents, with all their threads (to the nanosecond, unlike psutil)."""
    spent = 0
    for pid in filter(None, (os.getpid(), converter.pid, converter.documents_pid)):
        for schedule in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that has just ended
                spent += int(schedule.read_text().split()[0])
    return spent / 1e9


def peer(python: str, name: str, files: list[Path], rounds: int) -> dict[str, dict[str, float]] | None:
    program = [python, str(Path(__file__).with_name("document_peer.py")), name, str(rounds), *map(str, files)]
    done = subprocess.run(program, capture_output=True, text=True)
    if done.returncode:
        print(f"{name} is left out: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def report(results: dict[str, dict[str, dict[str, float]] | None], pages: dict[str, int]) -> None:
    forms: dict[str, list[str]] = defaultdict(list)
    for name in sorted(pages):
        forms[Path(name).suffix[1:]].append(name)
    print(f"{'':12}" + "".join(f"{form:>10}" for form in forms) + f"{'MiB':>10}")
    for contestant, result in results.items():
        cells = []
        for names in forms.values():
            cpu = [result["cpu"].get(name) for name in names] if result else [None]
            known = None not in cpu and sum(cpu) > 0
            cells.append(f"{sum(pages[name] for name in names) / sum(cpu):10.0f}" if known else f"{'-':>10}")
        print(f"{contestant:12}" + "".join(cells) + (f"{result['rss'] / MIB:10.0f}" if result else ""))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--corpus", type=Path)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peers", default=sys.executable, help="the Python that markitdown is installed for")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.corpus or Path(made)
        if not given.corpus:
            generate(folder)
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        own = asyncio.run(thresher(files, given.rounds))
        results = {
            "thresher": own,
            "bare": peer(sys.executable, "bare", files, given.rounds),
            "markitdown": peer(given.peers, "markitdown", files, given.rounds),
        }
        print(f"{len(files)} documents, {sum(own['pages'].values())} pages; pages a second and core")
        report(results, own["pages"])


if __name__ == "__main__":
    main()
