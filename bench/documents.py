"""Pages a second and core, and memory, by format: Thresher beside its bare libraries and markitdown.

`python -m bench.documents [--corpus DIR] [--turns 5] [--rounds 3] [--seconds 120] [--peers PYTHON]`. Without a corpus the
documents are generated. For each format every contestant runs in a process of its own, first over all files to be warm, then
`rounds` times; the best round of each file counts. Thresher and the bare library take `turns`, for the speed of a machine
drifts: the ratio is the median of theirs. Of Thresher it is the converter's child that is measured, with guards, pages and the stored
frame; `with worker` adds what the worker and its other child spend on handing a document over. A format that has had its share
of `seconds` ends with the files that were measured until then.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psutil
from tests.files import ole, pdf, zipped

from thresher.convert.converter import Converter, DocumentLimits
from thresher.convert.document import How, Source
from thresher.convert.frame import Frame
from thresher.domain.documents import DocumentOptions
from thresher.domain.failure import ItemFailed

MIB = 2**20
SENTENCE = "The harvest of the northern fields was weighed, dried and stored before the first rain came. "
SUFFIXES = frozenset({".pdf", ".docx", ".pptx", ".xlsx", ".xls", ".doc", ".ppt", ".odt", ".ods", ".rtf", ".epub", ".eml", ".msg"})  # fmt: skip
CONTESTANTS = ("thresher", "with worker", "bare", "markitdown")
ROWS = [["field", "crop", "t/ha"], *([f"field {n}", "wheat", f"{n / 7:.2f}"] for n in range(12))]
BOOK = {f"Sheet {m}": [[f"row {k}", k, k / 3, "wheat"] for k in range(100)] for m in range(10)}

Measured = dict[str, Any]  # cpu: seconds by file; pages by file; rss: bytes


def generate(folder: Path) -> None:
    """Two documents of each format, of the size of everyday ones."""
    for n in range(2):
        for suffix, data in (_running_text(n) | _others()).items():
            (folder / f"document{n}{suffix}").write_bytes(data)


def _running_text(n: int) -> dict[str, bytes]:
    """25 pages each: a heading, paragraphs and a table."""
    pages = [
        pdf.paragraphs(f"Chapter {m}", *[SENTENCE[: 70 + (m + k) % 20] for k in range(9)]) + b"\n" + pdf.table(ROWS)
        for m in range(25)
    ]
    docx, odt, rtf = "", "", ""
    for m in range(25):
        docx += zipped.heading(f"Chapter {m}") + zipped.paragraph(SENTENCE * 5) * 4 + zipped.grid(ROWS) + zipped.BREAK
        odt += f"<text:h text:outline-level='1'>Chapter {m}</text:h>" + f"<text:p>{SENTENCE * 5}</text:p>" * 4
        odt += f"<table:table>{''.join(_odf_row(row) for row in ROWS)}</table:table>"
        rtf += f"{{\\b Chapter {m}}}\\par " + f"{SENTENCE * 5}\\par " * 4
        rtf += "".join(_rtf_row(row) for row in ROWS) + "\\pard\\page "
    return {
        ".pdf": pdf.pdf(*pages, info={"Title": f"Report {n}"}),
        ".docx": zipped.package(zipped.docx(docx)),
        ".odt": zipped.package(zipped.odt(odt)),
        ".rtf": f"{{\\rtf1\\ansi {rtf}}}".encode(),
        ".doc": ole.doc("\n".join([SENTENCE * 5] * 100)),
    }


def _others() -> dict[str, bytes]:
    slides = [(f"Slide {m}", *[SENTENCE] * 5) for m in range(25)]
    chapters = [f"<h1>Chapter {m}</h1>" + f"<p>{SENTENCE * 5}</p>" * 6 for m in range(25)]
    sheets = "".join(
        f'<table:table table:name="{name}">{"".join(map(_odf_row, rows))}</table:table>' for name, rows in BOOK.items()
    )
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ann <ann@example.com>", "bob@example.com", "The harvest"
    mail.set_content("\n\n".join([SENTENCE * 5] * 20))
    mail.add_alternative("<h1>The harvest</h1>" + f"<p>{SENTENCE * 5}</p>" * 20, subtype="html")
    mail.add_attachment(bytes(100_000), maintype="application", subtype="octet-stream", filename="list.bin")
    return {
        ".pptx": zipped.package(zipped.pptx(*slides)),
        ".ppt": ole.ppt(*slides),
        ".xlsx": zipped.package(zipped.xlsx(BOOK)),
        ".xls": ole.xls(BOOK),
        ".ods": zipped.package(zipped.ods(sheets)),
        ".epub": zipped.package(zipped.epub(*chapters)),
        ".eml": mail.as_bytes(),
        ".msg": ole.msg("The harvest", "\n\n".join([SENTENCE * 5] * 20)),
    }


def _odf_row(row: Sequence[object]) -> str:
    cells = (f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in row)
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def _rtf_row(row: Sequence[str]) -> str:
    return "\\trowd\\cellx2000\\cellx4000\\cellx6000 " + "".join(f"{cell}\\cell " for cell in row) + "\\row "


async def thresher(files: list[Path], rounds: int, seconds: float) -> tuple[Measured, Measured]:
    """The child alone, and with the worker."""
    converter = Converter(
        timeout=60,
        memory_bytes=1024 * MIB,
        max_decoded_bytes=64 * MIB,
        max_output_bytes=256 * MIB,
        documents=DocumentLimits(),
    )
    await converter.start()
    how = How(document=DocumentOptions(), keep_body=False)  # as of a file, which is kept elsewhere
    child, whole, pages, most = {}, {}, {}, 0
    begun = time.monotonic()
    try:
        for turn in range(rounds + 1):
            for file in files:
                if turn > 1 and time.monotonic() - begun > seconds:
                    break
                source = Source("https://bench.example/", file.read_bytes(), name=file.name)
                before = _spent(converter.documents_pid), _spent(converter.pid), _spent(os.getpid())
                try:
                    converted = await converter.convert(source, how=how)
                except ItemFailed as failed:
                    print(f"{file.name}: {failed.failure.code}", file=sys.stderr)
                    continue
                after = _spent(converter.documents_pid), _spent(converter.pid), _spent(os.getpid())
                if turn:
                    child[file.name] = min(child.get(file.name, 1e9), after[0] - before[0])
                    whole[file.name] = min(whole.get(file.name, 1e9), sum(after) - sum(before))
                pages[file.name] = len(Frame.parse(converted.frame).pages)
                most = max(most, psutil.Process(converter.documents_pid).memory_info().rss)
    finally:
        await converter.close()
    return {"cpu": child, "pages": pages, "rss": most}, {"cpu": whole, "pages": pages, "rss": 0}


def _spent(pid: int | None) -> float:
    """Processor seconds of a process with all its threads (to the nanosecond, unlike psutil)."""
    spent = 0
    for schedule in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            spent += int(schedule.read_text().split()[0])
    return spent / 1e9


def peer(python: str, name: str, files: list[Path], rounds: int, seconds: float) -> Measured | None:
    program = [
        python,
        str(Path(__file__).with_name("document_peer.py")),
        name,
        str(rounds),
        f"{seconds:g}",
        *map(str, files),
    ]
    done = subprocess.run(program, capture_output=True, text=True)
    if done.returncode:
        print(f"{name} is left out: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def best(runs: Sequence[Measured]) -> Measured:
    """The least that each file took in any of them, and the most memory."""
    cpu = {name: min(run["cpu"].get(name, 1e9) for run in runs) for name in runs[0]["cpu"]}
    return {**runs[0], "cpu": cpu, "rss": max(run["rss"] for run in runs)}


def ratio(own: Measured, bare: Measured | None) -> float | None:
    """What the one took as a multiple of what the other took, of the files that both have converted."""
    names = own["cpu"].keys() & bare["cpu"].keys() if bare else set()
    return (
        sum(own["cpu"][name] for name in names) / sum(bare["cpu"][name] for name in names) if bare and names else None
    )


def line(form: str, results: dict[str, Measured | None], ratios: list[float]) -> str:
    """Of the files that all contestants have converted: pages a second and core, times of the bare library, MiB."""
    own, bare = results["thresher"], results["bare"]
    names = [name for name in own["cpu"] if not bare or name in bare["cpu"]]
    pages = sum(own["pages"][name] for name in names)
    spent = {
        name: sum(result["cpu"][file] for file in names)
        for name, result in results.items()
        if result and names and all(file in result["cpu"] for file in names)
    }
    speeds = "".join(f"{pages / spent[name]:12.0f}" if spent.get(name) else f"{'-':>12}" for name in CONTESTANTS)
    times = f"{statistics.median(ratios):8.2f}" if ratios else f"{'-':>8}"
    memory = (results[name] for name in ("thresher", "bare", "markitdown"))
    held = "".join(f"{one['rss'] / MIB:8.0f}" if one and one["cpu"] else f"{'-':>8}" for one in memory)
    return f"{form:6}{len(names):6}{pages:7}{speeds}{times}   {held}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--corpus", type=Path)
    options.add_argument("--turns", type=int, default=5)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=120, help="for all formats and contestants together")
    options.add_argument("--peers", default=sys.executable, help="the Python that markitdown is installed for")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.corpus or Path(made)
        if not given.corpus:
            generate(folder)
        files: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                files[path.suffix.lower()[1:]].append(path)
        share = given.seconds / max(3 * len(files), 1)
        print(
            "pages a second and core; thresher's time as a multiple of the bare library's; MiB of thresher, bare, markitdown"
        )
        print(
            f"{'':6}{'files':>6}{'pages':>7}{''.join(f'{name:>12}' for name in CONTESTANTS)}{'ratio':>8}   {'MiB':>8}"
        )
        for form, paths in sorted(files.items()):
            turns = [
                (
                    *asyncio.run(thresher(paths, given.rounds, share / given.turns)),
                    peer(sys.executable, "bare", paths, given.rounds, share / given.turns),
                )
                for _ in range(given.turns)
            ]
            bare = [bare for _, _, bare in turns if bare]
            results = {
                "thresher": best([own for own, _, _ in turns]),
                "with worker": best([whole for _, whole, _ in turns]),
                "bare": best(bare) if bare else None,
                "markitdown": peer(given.peers, "markitdown", paths, given.rounds, share),
            }
            ratios = [found for own, _, bare in turns if (found := ratio(own, bare))]
            print(line(form, results, ratios), flush=True)


if __name__ == "__main__":
    main()
