"""A fetched body to a document: the whole of a conversion, in order, in this process.

Content coding, type, charset, then the converter for the type. Knows no pipe and no limits but those of decompression.
"""

from dataclasses import replace

from thresher.convert import content as contents
from thresher.convert import html, jsontext, markup, parsers, table, xmldoc, xmltree
from thresher.convert.charset import to_text
from thresher.convert.decode import decode_body
from thresher.convert.document import Document, DocumentPage, How, Kind, Source
from thresher.convert.documents.made import Bounds
from thresher.convert.html import Page
from thresher.convert.laps import Laps
from thresher.convert.verdict import NOTHING, Answer, judge, judge_file
from thresher.domain.choices import Content

_FENCES = {"xml": "xml", "json": "json", "table": "csv"}


class NotHere(Exception):
    """The body is a document, and documents are not converted in this process."""


def convert(
    source: Source,
    *,
    max_decoded_bytes: int,
    laps: Laps | None = None,
    how: How | None = None,
    documents: Bounds | None = None,
) -> Document:
    """Convert `source` as told; documents within these bounds, if there are any.

    Raises ItemFailed: bad_encoding, decompression_bomb, unsupported_content, and what is wrong with documents. Raises NotHere.
    """
    laps, how = laps or Laps(), how or How()
    data = decode_body(source.body, source.content_encoding, max_decoded_bytes)
    laps.lap("decompress")
    content = contents.classify(data, source.content_type, source.name)
    if content.kind != "document":
        document = _text(data, content, source, how, laps)
        return document if how.document is None else _in_pages(document)
    if documents is None:
        raise NotHere
    # Here, for a process that sees only pages is to load nothing of it.
    from thresher.convert.documents.formats import convert as convert_document

    document = convert_document(data, content.language, how.document, documents)
    laps.lap("convert")
    shown = Content.PAGE if how.content == Content.MAIN else None
    return replace(document, parsed=parsers.NOT_HTML if how.parser or how.definition else None, content=shown)


def _in_pages(document: Document) -> Document:
    """What has no pages of its own, as one."""
    return replace(document, pages=[DocumentPage(1, document.markdown, document.text, items=None)])


def _text(data: bytes, content: contents.Content, source: Source, how: How, laps: Laps) -> Document:
    reads, main = bool(how.parser or how.definition), how.content == Content.MAIN
    text, charset = to_text(data, source.content_type, content.kind if content.kind in ("html", "xml") else None)
    laps.lap("charset")
    tree = xmltree.parse(text) if content.kind == "xml" else None
    if content.kind == "html" or (tree is not None and xmldoc.is_html(tree)):
        if "xml" in (source.content_type or "").lower():
            text = xmltree.as_html(text)
        page = html.convert(text, source.url, laps, main=main)
        answer = Answer(
            text, page.title, page.markdown, page.text, source.url, source.requested or source.url, source.headers
        )
        verdict = judge(answer) if source.name is None else judge_file(answer)
        laps.lap("verdict")
        parsed, matches = parsers.run(how, text, source.url, laps) if reads else (None, [])
        shown = page.main or (page.markdown, page.text)
        found = (Content.MAIN if page.main else Content.PAGE) if main else None
        return Document(
            "html", *charset, page.title, *shown, page.links, page.metadata, verdict, parsed, found, matches
        )
    text = text.replace("\0", "")
    if not text.strip() or content.kind == "text":
        page = Page(None, text, text, [], {})
    elif content.kind == "xml":
        page = xmldoc.convert(text, tree, source.url) if tree is not None else xmldoc.as_it_is(text)
    else:
        page = _page(content, text, source.url)
    laps.lap("convert")
    verdict = None if text.strip() else NOTHING
    # A feed without entries is an answer all the same: what there is of it is shown.
    markdown = page.markdown if page.markdown.strip() or verdict else markup.fenced(text, _FENCES.get(content.kind, ""))
    kind: Kind = "json" if page.is_json else "text"
    unread = parsers.NOT_HTML if reads else None
    whole = Content.PAGE if main else None
    return Document(kind, *charset, page.title, markdown, page.text, page.links, page.metadata, verdict, unread, whole)


def _page(content: contents.Content, text: str, url: str) -> Page:
    if content.kind == "json":
        return jsontext.convert(text, url)
    if content.kind == "table":
        return table.convert(text)
    return Page(None, markup.fenced(text, content.language), text, [], {})
