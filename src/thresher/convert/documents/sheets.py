"""XLSX, XLS and ODS: a page for each sheet, as a table of its cells. Hidden sheets are left out unless they are asked for."""

import html
import re

from thresher.convert import markup, table
from thresher.convert.document import DocumentPage
from thresher.convert.documents import items, office, package
from thresher.convert.documents.made import Bounds, Made
from thresher.domain.documents import DocumentOptions
from thresher.domain.failure import FailureCode, ItemFailed

_MAX_CELLS = 2_000_000  # the library holds 0.6 KB for each; a million rows of three do not fit into a child
_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_CELLS = {"xlsx": (b"<c ", b"<c>", b"<c/", b":c "), "ods": (b"<table:table-cell",)}  # how a cell begins
# A BOUNDSHEET record (MS-XLS, 2.4.28): its head, where the sheet is, whether it is hidden, its kind, and its name.
_BOUNDSHEET = re.compile(rb"\x85\0[\x09-\xff]\0.{4}([\0-\2])[\0\1\2\6](.)([\0\1])", re.DOTALL)
# Of OpenDocument: the beginning of a sheet, and attributes.
_TABLE = re.compile(rb"<table:table(\s[^<>]*)>")
_NOT_SHOWN = re.compile(rb"""\stable:display\s*=\s*["']false["']""")
_STYLE_NAME, _TABLE_NAME, _TABLE_STYLE = (
    re.compile(rb"""\s%b\s*=\s*(?:"([^"]*)"|'([^']*)')""" % name)
    for name in (b"style:name", b"table:name", b"table:style-name")
)


def packed(data: bytes, form: str, options: DocumentOptions, bounds: Bounds) -> Made:
    """XLSX and ODS. Raises ItemFailed(document_too_large) over the number of cells."""
    parts = package.unpack(data, bounds)
    cells = sum(content.count(begin) for begin in _CELLS[form] for name, content in parts.items() if _has_cells(name))
    if cells > _MAX_CELLS:
        raise ItemFailed(FailureCode.DOCUMENT_TOO_LARGE, f"the sheets have {cells} cells, the limit is {_MAX_CELLS}")
    hidden = _hidden(parts.get("xl/workbook.xml", b"")) | _hidden_ods(parts.get("content.xml", b""))
    return _made(office.extract(package.pack(parts), form, html=False), hidden, options)


def xls(data: bytes, form: str, options: DocumentOptions, _: Bounds) -> Made:
    result = office.extract(data, form, html=False)
    hidden = set()
    for found in _BOUNDSHEET.finditer(data):
        name = data[found.end() : found.end() + found[2][0] * (1 + found[3][0])]
        if found[1] != b"\0":
            hidden.add(name.decode("utf-16-le" if found[3][0] else "latin-1", "replace"))
    return _made(result, hidden, options)


def _made(result: object, hidden: set[str], options: DocumentOptions) -> Made:
    metadata = getattr(result, "metadata", {})
    tables = {table.page_number: table.cells for table in getattr(result, "tables", [])}
    names = [str(name) for name in metadata.get("sheet_names", [])]
    shown = [
        (name, tables.get(n, [])) for n, name in enumerate(names, 1) if options.hidden_sheets or name not in hidden
    ]
    pages = [_page(number, *shown[number - 1], options) for number in options.picks(len(shown))]
    return Made(pages, len(shown), office.metadata_of(metadata))


def _page(number: int, name: str, rows: list[list[str]], options: DocumentOptions) -> DocumentPage:
    text = "\n".join(map("\t".join, rows))
    if "\0" in text:
        return _page(number, name, [[cell.replace("\0", "") for cell in row] for row in rows], options)
    if not text.strip():
        return DocumentPage(number, name=name)
    heading = items.heading(2, markup.plain(name))
    grid = items.as_html(rows) if options.tables_as_html else table.markdown(rows).rstrip("\n")
    return DocumentPage(number, f"{heading['md']}\n\n{grid}", text, [heading, items.rows(rows)], name=name)


def _has_cells(name: str) -> bool:
    return name.startswith("xl/worksheets/") or name == "content.xml"


def _hidden(workbook: bytes) -> set[str]:
    sheets = package.tree(workbook).iter(f"{_S}sheet")
    return {one.get("name", "") for one in sheets if one.get("state") in ("hidden", "veryHidden")}


def _hidden_ods(content: bytes) -> set[str]:
    """A sheet is hidden by its style. Not read as a tree, for the sheets themselves are in there."""
    styles = content[: content.find(b"<office:body")].split(b"<style:style")[1:]
    hidden = {_value(_STYLE_NAME, style.partition(b">")[0]) for style in styles if _NOT_SHOWN.search(style)}
    if not hidden:
        return set()
    tags = [found[1] for found in _TABLE.finditer(content)]
    return {_value(_TABLE_NAME, tag) for tag in tags if _value(_TABLE_STYLE, tag) in hidden}


def _value(attribute: re.Pattern[bytes], tag: bytes) -> str:
    found = attribute.search(tag)
    return html.unescape((found[1] or found[2] or b"").decode("utf-8", "replace")) if found else ""
