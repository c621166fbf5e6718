"""Real pages, where there are some: set THRESHER_CORPUS to a folder with pages/*.html.gz."""

import asyncio
import os
from pathlib import Path

import pytest

from thresher.convert.converter import Converter
from thresher.convert.document import Source
from thresher.convert.frame import Frame

CORPUS = os.environ.get("THRESHER_CORPUS")
FILES = sorted(Path(CORPUS).glob("*/*.html.gz")) if CORPUS else []


@pytest.mark.skipif(not CORPUS, reason="THRESHER_CORPUS names no folder of pages")
async def test_every_real_page_converts():
    assert FILES
    sources = [Source("https://example.com/a/b", file.read_bytes(), "text/html", "gzip") for file in FILES]
    converter = Converter(timeout=20, memory_bytes=2**29, max_decoded_bytes=2**26, max_output_bytes=2**26)
    await converter.start()
    pid = converter.pid
    try:
        results = await asyncio.gather(*map(converter.convert, sources))
        assert converter.pid == pid
    finally:
        await converter.close()
    for file, source, result in zip(FILES, sources, results, strict=True):
        frame = Frame.parse(result.frame)
        assert frame.body == source.body, file
        assert len(frame.text) > 200, file
        assert "\0" not in frame.markdown + frame.text, file
        assert all(link.startswith(("http://", "https://")) for link in frame.links), file
        assert len(set(frame.links)) == len(frame.links), file
        assert frame.text.count("\ufffd") < 100, file
