"""A fetched body to a document: the whole of a conversion, in order, in this process.

Content coding, type, charset, then the converter for the type. Knows no pipe and no limits but that of decompression.
"""

import re

from thresher.convert import html
from thresher.convert.charset import to_text
from thresher.convert.content import classify
from thresher.convert.decode import decode_body
from thresher.convert.document import Document, Source
from thresher.convert.laps import Laps
from thresher.convert.verdict import NOTHING, Answer, judge

_BACKTICKS = re.compile(r"`{3,}")


def convert(source: Source, *, max_decoded_bytes: int, laps: Laps | None = None) -> Document:
    """Convert `source`. Raises ItemFailed: bad_encoding, decompression_bomb, unsupported_content."""
    laps = laps or Laps()
    data = decode_body(source.body, source.content_encoding, max_decoded_bytes)
    laps.lap("decompress")
    content = classify(data, source.content_type)
    text, charset = to_text(data, source.content_type, content if content in ("html", "xml") else None)
    laps.lap("charset")
    if content == "html":
        page = html.convert(text, source.url, laps)
        answer = Answer(
            text, page.title, page.markdown, page.text, source.url, source.requested or source.url, source.headers
        )
        verdict = judge(answer)
        laps.lap("verdict")
        return Document("html", *charset, page.title, page.markdown, page.text, page.links, page.metadata, verdict)
    text = text.replace("\0", "")
    markdown = text if content == "text" else _fenced(text, content)
    return Document("text", *charset, None, markdown, text, verdict=None if text.strip() else NOTHING)


def _fenced(text: str, language: str) -> str:
    """`text` as a code block, with a fence longer than any in it (CommonMark, section 4.5)."""
    fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"
