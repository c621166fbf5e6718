"""A contestant of bench/documents.py in a process of its own: `document_peer.py bare|markitdown ROUNDS SECONDS FILE...`.

Writes {"cpu": {file: the best processor seconds}, "rss": bytes} as its last line. Imports nothing of Thresher's.
"""

import io
import json
import mimetypes
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

Convert = Callable[[Path, bytes], object]


def bare() -> Convert:
    """LiteParse for PDF, Kreuzberg for the rest, as their own documentation calls them, with markdown as the result."""
    import kreuzberg
    import liteparse

    parser = liteparse.LiteParse(output_format="markdown", ocr_enabled=False, quiet=True)
    config = kreuzberg.ExtractionConfig(use_cache=False, output_format="markdown")
    mimetypes.add_type("message/rfc822", ".eml")
    mimetypes.add_type("application/vnd.ms-outlook", ".msg")
    mimetypes.add_type("application/rtf", ".rtf")

    def convert(path: Path, data: bytes) -> object:
        if path.suffix.lower() == ".pdf":
            return parser.parse(data)
        return kreuzberg.extract_bytes_sync(data, mimetypes.guess_type(path.name)[0] or "", config)

    return convert


def markitdown() -> Convert:
    from markitdown import MarkItDown, StreamInfo

    converter = MarkItDown()

    def convert(path: Path, data: bytes) -> object:
        return converter.convert_stream(io.BytesIO(data), stream_info=StreamInfo(extension=path.suffix.lower()))

    return convert


def main(name: str, rounds: int, seconds: float, files: list[Path]) -> None:
    convert = {"bare": bare, "markitdown": markitdown}[name]()
    best: dict[str, float] = {}
    started = time.monotonic()
    for turn in range(rounds + 1):
        for path in files:
            if turn > 1 and time.monotonic() - started > seconds:
                break
            data = path.read_bytes()
            begun = time.process_time()
            try:
                convert(path, data)
            except Exception as error:  # a format that it does not have
                print(f"{path.name}: {type(error).__name__}", file=sys.stderr)
                continue
            if turn:
                best[path.name] = min(best.get(path.name, 1e9), time.process_time() - begun)
    print(json.dumps({"cpu": best, "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), [Path(name) for name in sys.argv[4:]])
