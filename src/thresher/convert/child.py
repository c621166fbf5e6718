"""The converter child: `python -m thresher.convert.child PARENT_PID CPU MEMORY DECODED OUTPUT [plugins] [documents=BOUNDS]`
(seconds, then bytes, then the members of `Bounds` as JSON, for a child that converts documents too).

Reads conversions from standard input and answers on standard output, one after the other, until the input ends or
the parent dies. Whatever it meets costs at most this process. Its first message, {"ready": true, "missing": [...],
"faults": [...]}, says that it serves, which means of confinement (confine.py) there are not, and which parsers of packages
are left out, if it is to have any; {"ready": false, "reason": ...} that with them it cannot. A child for pages alone
answers {"elsewhere": true} when it is given a document.
"""

import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any, BinaryIO

import orjson

from thresher.convert import wire
from thresher.convert.confine import confine
from thresher.convert.convert import NotHere, convert
from thresher.convert.digest import digest
from thresher.convert.document import Document, How, Source
from thresher.convert.documents.made import Bounds
from thresher.convert.frame import encode
from thresher.convert.laps import Laps
from thresher.convert.parsers import plugged
from thresher.domain.failure import Failure, FailureCode, ItemFailed

_PR_SET_PDEATHSIG = 1
_DOCUMENTS = "documents="
_STOUT = 4  # a child that has grown by a fourth of its limit is replaced


def main(arguments: list[str]) -> int:
    """Serve until the input ends. Returns the exit status."""
    parent, (memory, decoded, output) = int(arguments[0]), map(int, arguments[2:5])
    said = next((one.removeprefix(_DOCUMENTS) for one in arguments[5:] if one.startswith(_DOCUMENTS)), None)
    documents = Bounds(**orjson.loads(said)) if said else None
    requests, answers, held = prepare(parent, memory, plugins="plugins" in arguments[5:], documents=documents)
    slim = held()
    while (message := wire.read(requests)) is not None:
        with _processor_time(float(arguments[1])):
            header, frame = _answer(*message, decoded, output, documents)
        # What a page has left behind (a heap full of holes) is taken from the pages after it: a new process costs less.
        header["last"] = header.get("last", False) or held() - slim > memory // _STOUT
        _send(answers, header, frame)
        if header["last"]:
            return 0
    return 0


def prepare(
    parent: int, memory: int, *, plugins: bool = False, documents: Bounds | None = None
) -> tuple[BinaryIO, BinaryIO, Callable[[], int]]:
    """All that is done before the first page. Returns where requests come from, where answers go, and `_held`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _die_with(parent)
    requests, answers = _take_over_stdio()
    if documents:
        # Here, for a process that sees only pages is to load nothing of it.
        from thresher.convert.documents.formats import load

        load()
    held = _held()
    try:
        faults = plugged.load() if plugins else []
    except plugged.Unconfinable as error:
        _send(answers, {"ready": False, "reason": str(error)})
        sys.exit(1)
    gc.freeze()  # what is loaded is kept to the end: no page pays for a look at it
    missing = confine(memory, threads=documents is not None, readable=[documents.ocr_data] if documents else [])
    _send(answers, {"ready": True, "missing": missing, "faults": faults})
    return requests, answers, held


@contextlib.contextmanager
def _processor_time(seconds: float) -> Iterator[None]:
    """Die of SIGPROF when the block has used more, with all threads together, be it in code that no exception reaches."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)


def _held() -> Callable[[], int]:
    """What tells the memory that this process holds, in bytes, when no file can be opened any more; 0 where nothing tells.

    Not getrusage: its maximum is inherited from whoever started this process.
    """
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return lambda: 0
    page = resource.getpagesize()
    return lambda: int(os.pread(statm, 128, 0).split()[1]) * page


def _answer(
    header: dict[str, Any], body: bytes, decoded: int, output: int, documents: Bounds | None
) -> tuple[dict[str, Any], bytes]:
    meta = header["meta"]
    about = (header["content_type"], header["content_encoding"], header["requested"], meta.get("headers", {}))
    source = Source(header["url"], body, *about, header["name"])
    how, laps = How.from_json(header["how"]), Laps()
    try:
        document = convert(source, max_decoded_bytes=decoded, laps=laps, how=how, documents=documents)
        kept = how.keep_body or document.kind != "document"
        stored = source if kept else replace(source, body=b"", content_encoding=None)
        frame = encode(stored, document, {**meta, "convert_ms": laps.ms}, max_output_bytes=output)
        laps.lap("encode")
        return _facts(document, how, laps), frame
    except NotHere:
        return {"ok": False, "elsewhere": True}, b""
    except ItemFailed as failed:
        return _refusal(failed.failure.code, failed.failure.detail), b""
    except OverflowError as error:
        return _refusal(FailureCode.CONVERSION_LIMIT, f"output: {error}, the limit is {output}"), b""
    except MemoryError:
        # What is left of the heap is anyone's guess: this process answers, and ends.
        return _refusal(FailureCode.CONVERSION_LIMIT, "memory: the page needs more than the limit", last=True), b""
    except Exception as error:
        # Anything else is a fault of ours or of a library: it fails this item by name, and no other.
        return _refusal(FailureCode.CONVERSION_FAILED, f"{type(error).__name__}: {error}"[:500]), b""


def _facts(document: Document, how: How, laps: Laps) -> dict[str, Any]:
    charset = (document.charset, document.charset_source, document.charset_certainty)
    told = dict(zip(("charset", "charset_source", "charset_certainty"), charset, strict=True))
    return {
        "ok": True,
        "kind": document.kind,
        **(told if document.charset else dict.fromkeys(told)),
        "title": document.title,
        "content": document.content,
        "markdown_chars": len(document.markdown),
        "text_chars": len(document.text),
        "links": len(document.links),
        "pages": len(document.pages),
        "verdict": document.verdict.to_json() if document.verdict else None,
        "digest": digest(document, how).hex(),
        "unparsed": asdict(document.parsed) if isinstance(document.parsed, Failure) else None,
        "matches": document.matches,
        "ms": laps.ms,
    }


def _refusal(code: FailureCode, detail: str, *, last: bool = False) -> dict[str, Any]:
    return {"ok": False, "code": str(code), "detail": detail.encode("utf-8", "replace").decode(), "last": last}


def _send(answers: BinaryIO, header: dict[str, Any], body: bytes = b"") -> None:
    for buffer in wire.pack(header, body):
        answers.write(buffer)
    answers.flush()


def _take_over_stdio() -> tuple[BinaryIO, BinaryIO]:
    """The protocol's streams, moved off 0 and 1, so that nothing a library prints can get between the messages."""
    requests = os.fdopen(os.dup(0), "rb", buffering=2**16)
    answers = os.fdopen(os.dup(1), "wb", buffering=2**16)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return requests, answers


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends. Elsewhere than on Linux the input's end does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)  # it died before the request took effect


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
