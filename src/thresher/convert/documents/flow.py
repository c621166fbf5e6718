"""Running text: DOCX, ODT, RTF, DOC, PPT. Pages where the file says where they end (DOCX, RTF), else one.

Page ends are marked in the file with a character of its own before the library reads it, and found again in what it has written.
"""

import html
import re
from collections.abc import Sequence

from thresher.convert.document import DocumentPage
from thresher.convert.documents import items, office, package
from thresher.convert.documents.made import Bounds, Made
from thresher.convert.documents.rendered import rendered
from thresher.domain.documents import DocumentOptions

_MARK = "\ue0fe"  # for private use, and nobody's
# What matters in a WordprocessingML body: ends of pages, and what stands between them. A table is on one page.
# Without the "<": of "w:" there are fewer, and what is the same for all stands first, which makes the search twice as fast.
_TOKEN = re.compile(r'w:(?:br\b[^>]*w:type="page"[^>]*/|lastRenderedPageBreak\s*/|tbl|txbxContent|drawing|pict)[ >]')
_WORDS_BEGIN = re.compile(r"<w:t[ >]")
# The library drops every reference to a character in these parts; it sees a character for private use instead.
_WORDS = re.compile(r"word/(document|footnotes|endnotes|comments|header\d*|footer\d*)\.xml")
_REFERENCE = re.compile(r"&(amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});")
_HIDDEN = {character: chr(ord("\ue0f0") + n) for n, character in enumerate("&<>\"'")}
_WIDE_CELL = re.compile(r'w:gridSpan\s+w:val="\d{5}')  # the library makes them all
_RTF_PAGE = re.compile(rb"(?<!\\)\\page(?![a-z0-9-])\s?")


def docx(data: bytes, form: str, options: DocumentOptions, bounds: Bounds) -> Made:
    parts = package.unpack(data, bounds)
    for name in filter(_WORDS.fullmatch, parts):
        xml = _REFERENCE.sub(_hidden, parts[name].decode("utf-8", "replace").replace(_MARK, ""))
        if _WIDE_CELL.search(xml):
            raise package.broken(f"a cell in the part {name} spans more columns than a table can have")
        parts[name] = (_marked(xml) if name == "word/document.xml" else xml).encode()
    return _made(office.extract(package.pack(parts), form), options)


def packed(data: bytes, form: str, options: DocumentOptions, bounds: Bounds) -> Made:
    """ODT."""
    return _made(office.extract(package.pack(package.unpack(data, bounds)), form), options)


def rtf(data: bytes, form: str, options: DocumentOptions, _: Bounds) -> Made:
    mark = rb"\\par\\u%d?\\par " % (ord(_MARK) - 0x10000)
    return _made(office.extract(_RTF_PAGE.sub(mark, data), form), options)


def binary(data: bytes, form: str, options: DocumentOptions, _: Bounds) -> Made:
    """DOC, whose markdown would run all its paragraphs into one, and PPT."""
    result = office.extract(data, form, html=form == "ppt")
    if form == "ppt":
        return _made(result, options)
    paragraphs = [line.strip() for line in re.split(r"[\r\n\x0b\x0c]+", result.content)]
    markdown = "\n\n".join(re.sub(r"^(#|[-+*>]\s|\d+[.)]\s)", r"\\\1", line) for line in paragraphs if line)
    text = "\n\n".join(filter(None, paragraphs))
    return Made(pages_of([(markdown, text)], options), 1, office.metadata_of(result.metadata))


def pages_of(pages: Sequence[tuple[str, str]], options: DocumentOptions) -> list[DocumentPage]:
    """Those that were asked for, of markdown and text."""
    return [page_of(number, *pages[number - 1], options) for number in options.picks(len(pages))]


def page_of(number: int, markdown: str, text: str, options: DocumentOptions) -> DocumentPage:
    """A page that is only known as markdown and text. Its items are made when they are read, if they are."""
    if not options.tables_as_html or "|" not in markdown:
        return DocumentPage(number, markdown, text, items=None)
    made = items.of_markdown(markdown)
    markdown = "\n\n".join(item["html"] if item["type"] == "table" else item["md"] for item in made)
    return DocumentPage(number, markdown, text, made)


def _made(result: object, options: DocumentOptions) -> Made:
    content = str(getattr(result, "content", "")).replace("\0", "")
    for character, hidden in _HIDDEN.items():
        content = content.replace(hidden, html.escape(character))
    markdown, text = rendered(content)
    markdowns, texts = _split(markdown), [page.strip() for page in text.split(_MARK)]
    if len(markdowns) != len(texts):  # the document itself has the mark, where only one of the two shows it
        markdowns, texts = [markdown.replace(_MARK, "")], [text.replace(_MARK, "")]
    pages = [*zip(markdowns, texts, strict=True)]
    return Made(pages_of(pages, options), len(pages), office.metadata_of(getattr(result, "metadata", {})))


def _split(markdown: str) -> list[str]:
    """Cut at the marks. Bold text that goes on behind one is closed before and opened after it."""
    pages, bold = [], ""
    for piece in markdown.split(_MARK):
        page = bold + (piece.strip() if bold else piece.rstrip())
        bold = "**" if page.rpartition("\n\n")[2].count("**") % 2 else ""
        pages.append((page + bold).replace("****", "").strip())
    return pages


def _hidden(reference: re.Match[str]) -> str:
    """What a reference refers to; one of the characters that XML needs itself, as that for private use."""
    character = html.unescape(reference[0])
    return _HIDDEN.get(character, character)


def _marked(xml: str) -> str:
    """The document with a mark for every end of a page that has text before it."""
    out, at, since, inside, drawn = [], 0, 0, 0, False
    for token in _TOKEN.finditer(xml):
        tag = token.start() - 1
        opens = xml[tag] == "<"
        if not opens and xml[tag - 1 : tag + 1] != "</":
            continue  # words
        if not token[0].endswith("/>"):
            inside += 1 if opens else -1
            drawn = True
        elif not inside and (drawn or _WORDS_BEGIN.search(xml, since, tag)):
            out += [xml[at:tag], f"<w:t>{_MARK}</w:t>"]
            at = since = token.end()
            drawn = False
    return "".join([*out, xml[at:]])
