"""OOXML, OpenDocument and EPUB by hand: the smallest packages that programs open."""

import io
import zipfile
from collections.abc import Mapping, Sequence

_RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_P = "http://schemas.openxmlformats.org/presentationml/2006/main"
_A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_CORE = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title><dc:creator>{author}</dc:creator>'
    "</cp:coreProperties>"
)
_MAIN = "application/vnd.openxmlformats-officedocument."

Parts = dict[str, str | bytes]


def package(parts: Mapping[str, str | bytes], coding: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these parts, in their order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", coding) as archive:
        for name, content in parts.items():
            archive.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else coding)
    return out.getvalue()


def rels(*targets: tuple[str, str]) -> str:
    """The relationships of a part: (type, target), as rId1, rId2, ..."""
    return (
        f'<Relationships xmlns="{_RELS}">'
        + "".join(
            f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
            for n, (kind, target) in enumerate(targets, 1)
        )
        + "</Relationships>"
    )


def _office(
    main: str, kind: str, parts: Parts, title: str, author: str, types: Mapping[str, str] | None = None
) -> Parts:
    overrides = {main: kind, **(types or {})}
    return {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}"><Default Extension="rels" ContentType="application/vnd.'
        'openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        + "".join(f'<Override PartName="/{name}" ContentType="{_MAIN}{of}+xml"/>' for name, of in overrides.items())
        + "</Types>",
        "_rels/.rels": rels(("officeDocument", main), ("metadata/core-properties", "docProps/core.xml")),
        "docProps/core.xml": _CORE.format(title=title, author=author),
        **parts,
    }


def docx(body: str, *, title: str = "A report", author: str = "Ann", more: Parts | None = None) -> Parts:
    """The parts of a DOCX with this body: see `paragraph`, `heading`, `grid`, `BREAK`."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/><w:pPr><w:outlineLvl '
        f'w:val="{n - 1}"/></w:pPr></w:style>'
        for n in (1, 2)
    )
    return _office(
        "word/document.xml",
        "wordprocessingml.document.main",
        {
            "word/document.xml": f'<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>',
            "word/styles.xml": f'<w:styles xmlns:w="{_W}">{styles}</w:styles>',
            "word/_rels/document.xml.rels": rels(("styles", "styles.xml")),
            **(more or {}),
        },
        title,
        author,
        {"word/styles.xml": "wordprocessingml.styles"},
    )


BREAK = '<w:p><w:r><w:br w:type="page"/></w:r></w:p>'


def paragraph(words: str) -> str:
    return f'<w:p><w:r><w:t xml:space="preserve">{words}</w:t></w:r></w:p>'


def heading(words: str, level: int = 1) -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="Heading{level}"/></w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>'


def grid(rows: Sequence[Sequence[str]]) -> str:
    return (
        "<w:tbl>"
        + "".join(f"<w:tr>{''.join(f'<w:tc>{paragraph(cell)}</w:tc>' for cell in row)}</w:tr>" for row in rows)
        + "</w:tbl>"
    )


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]], *, hidden: Sequence[str] = ()) -> Parts:
    """The parts of an XLSX with these sheets, rows of texts and numbers."""
    parts: Parts = {}
    names, types = "", {}
    for n, (name, rows) in enumerate(sheets.items(), 1):
        state = ' state="hidden"' if name in hidden else ""
        names += f'<sheet name="{name}" sheetId="{n}"{state} r:id="rId{n}"/>'
        types[f"xl/worksheets/sheet{n}.xml"] = "spreadsheetml.worksheet"
        parts[f"xl/worksheets/sheet{n}.xml"] = sheet(rows)
    return _office(
        "xl/workbook.xml",
        "spreadsheetml.sheet.main",
        {
            "xl/workbook.xml": f'<workbook xmlns="{_S}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": rels(*(("worksheet", name.removeprefix("xl/")) for name in types)),
            **parts,
        },
        "Figures",
        "Ann",
        types,
    )


def sheet(rows: Sequence[Sequence[object]]) -> str:
    """A worksheet; None is a cell that is not there."""
    out = []
    for y, row in enumerate(rows, 1):
        cells = "".join(_cell(f"{chr(65 + x)}{y}", value) for x, value in enumerate(row) if value is not None)
        out.append(f'<row r="{y}">{cells}</row>')
    return f'<worksheet xmlns="{_S}"><sheetData>{"".join(out)}</sheetData></worksheet>'


def _cell(at: str, value: object) -> str:
    if isinstance(value, int | float):
        return f'<c r="{at}"><v>{value}</v></c>'
    return f'<c r="{at}" t="inlineStr"><is><t>{value}</t></is></c>'


def pptx(*slides: Sequence[str], notes: Sequence[str] = ()) -> Parts:
    """The parts of a PPTX: of each slide its title, then its paragraphs; `notes` of the first ones."""
    parts: Parts = {}
    types = {}
    for n, words in enumerate(slides, 1):
        body = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in words[1:])
        parts[f"ppt/slides/slide{n}.xml"] = (
            f'<p:sld xmlns:p="{_P}" xmlns:a="{_A}" xmlns:r="{_OFFICE}"><p:cSld><p:spTree>'
            + _shape(1, "title", f"<a:p><a:r><a:t>{words[0]}</a:t></a:r></a:p>")
            + _shape(2, "body", body)
            + "</p:spTree></p:cSld></p:sld>"
        )
        types[f"ppt/slides/slide{n}.xml"] = "presentationml.slide"
    for n, note in enumerate(notes, 1):
        parts[f"ppt/slides/_rels/slide{n}.xml.rels"] = rels(("notesSlide", f"../notesSlides/notesSlide{n}.xml"))
        parts[f"ppt/notesSlides/notesSlide{n}.xml"] = (
            f'<p:notes xmlns:p="{_P}" xmlns:a="{_A}"><p:cSld><p:spTree>'
            + _shape(1, "body", f"<a:p><a:r><a:t>{note}</a:t></a:r></a:p>")
            + "</p:spTree></p:cSld></p:notes>"
        )
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in range(1, len(slides) + 1))
    return _office(
        "ppt/presentation.xml",
        "presentationml.presentation.main",
        {
            "ppt/presentation.xml": f'<p:presentation xmlns:p="{_P}" xmlns:r="{_OFFICE}"><p:sldIdLst>{ids}</p:sldIdLst>'
            '<p:sldSz cx="9144000" cy="6858000"/></p:presentation>',
            "ppt/_rels/presentation.xml.rels": rels(
                *(("slide", f"slides/slide{n}.xml") for n in range(1, len(slides) + 1))
            ),
            **parts,
        },
        "Talk",
        "Ann",
        types,
    )


def _shape(number: int, kind: str, body: str) -> str:
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="s{number}"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr>'
        f"</p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/>{body}</p:txBody></p:sp>"
    )


def odt(body: str) -> Parts:
    """The parts of an ODT; the body in the elements of OpenDocument, under `text:` and `table:`."""
    names = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"' for short in ("office", "text", "table")
    )
    return {
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": f'<office:document-content{names} office:version="1.2"><office:body><office:text>{body}'
        "</office:text></office:body></office:document-content>",
        "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        '<manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.text"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>',
    }


def ods(tables: str) -> Parts:
    """The parts of an ODS; its tables in the elements of OpenDocument."""
    parts = {
        name: str(part).replace("opendocument.text", "opendocument.spreadsheet") for name, part in odt(tables).items()
    }
    return parts | {"content.xml": parts["content.xml"].replace("office:text>", "office:spreadsheet>")}


def ods_of(sheets: Mapping[str, Sequence[Sequence[object]]], hidden: Sequence[str] = ()) -> Parts:
    """The parts of an ODS with these rows; a sheet is hidden by its style."""
    style = "urn:oasis:names:tc:opendocument:xmlns:style:1.0"
    styles = "".join(
        f'<style:style style:name="ta{n}" style:family="table"><style:table-properties table:display="{shown}"/></style:style>'
        for n, shown in enumerate(("true", "false"))
    )
    tables = "".join(
        f'<table:table table:name="{name}" table:style-name="ta{int(name in hidden)}">'
        + "".join("<table:table-row>" + "".join(map(_ods_cell, row)) + "</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    parts = ods(tables)
    styled = f'<office:automatic-styles xmlns:style="{style}">{styles}</office:automatic-styles><office:body>'
    return parts | {"content.xml": str(parts["content.xml"]).replace("<office:body>", styled)}


def _ods_cell(value: object) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'


def epub(*chapters: str, title: str = "A book", author: str = "Ann") -> Parts:
    """The parts of an EPUB whose chapters are these bodies of XHTML."""
    items = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    return {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        "book.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">x</dc:identifier>'
        f"<dc:title>{title}</dc:title><dc:creator>{author}</dc:creator><dc:language>en</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
        **{
            f"c{n}.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{n}</title></head><body>{body}</body></html>'
            for n, body in enumerate(chapters)
        },
    }
