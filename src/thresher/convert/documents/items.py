"""The items of a page, in the shapes of document.py: made one by one, or of the markdown of a page when they are read.

Reads the markdown that converters write: headings, fences, pipe tables, lists, pictures, paragraphs. Knows no formats.
"""

import csv
import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from thresher.convert import markup, table

Item = dict[str, Any]

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*)")
_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([^`\s]*)")
_LISTED = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(.*)")
# What is between two marks is bounded, so that a text of nothing but marks takes no more than its length.
_IMAGE = re.compile(r"!\[((?:\\.|[^\]\\]){0,200})\]\(([^)\s]{0,2000})[^)]{0,200}\)")
_LINK = re.compile(r"!?\[((?:\\.|[^\]\\]){0,200})\]\([^)]{0,2000}\)")
_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_STRONG = re.compile(r"(?<!\\)(\*{1,3}|~~)(?=\S)(.{1,200}?)(?<=[^\s\\])\1")
_CODE = re.compile(r"(?<![\\`])(`+)(?!`)(.{1,200}?)(?<!`)\1(?!`)")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_MARK = re.compile(r"[\\*~`\[]")
_HARD_BREAK = re.compile(r"(?: {2,}|\\)\n")
_PIPE = re.compile(r"(?<!\\)\|")
_BETWEEN = "\x1f"  # cells, while a row is escaped in one go; a unit separator, and nothing else


def text(md: str, bbox: Any = None) -> Item:
    return {"type": "text", "md": md, "value": plain(md), "bbox": bbox}


def heading(level: int, md: str, bbox: Any = None) -> Item:
    return {"type": "heading", "md": f"{'#' * level} {md}", "level": level, "value": plain(md), "bbox": bbox}


def code(value: str, language: str = "", bbox: Any = None) -> Item:
    md = markup.fenced(value, language).rstrip("\n")
    return {"type": "code", "md": md, "value": value, "language": language or None, "bbox": bbox}


def image(caption: str, url: str, bbox: Any = None) -> Item:
    return {"type": "image", "md": f"![{caption}]({url})", "caption": caption, "url": url, "bbox": bbox}


def of_page(page: Mapping[str, Any]) -> list[Item]:
    """The items of a page, with all their members, of what is stored of it."""
    stored = page["items"]
    if stored is None:
        return of_markdown(page["markdown"])
    return [item if "md" in item else grid(item["rows"], item["bbox"]) for item in stored]


def rows(cells: Sequence[Sequence[str]], bbox: Any = None) -> Item:
    """A table as it is stored."""
    return {"type": "table", "rows": cells, "bbox": bbox}


def grid(rows: Sequence[Sequence[str]], bbox: Any = None) -> Item:
    """A table of these cells; the first row is its head."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    md = table.markdown(rows).rstrip("\n")
    return {
        "type": "table",
        "md": md,
        "rows": [*map(list, rows)],
        "html": as_html(rows),
        "csv": out.getvalue(),
        "bbox": bbox,
    }


def as_html(rows: Sequence[Sequence[str]]) -> str:
    """The table in HTML; the first row is its head."""
    lines = []
    for number, row in enumerate(rows):
        kind = "td" if number else "th"
        cells = html.escape(_BETWEEN.join(row), quote=False).replace(_BETWEEN, f"</{kind}><{kind}>")
        lines.append(f"<tr><{kind}>{cells}</{kind}></tr>")
    return f"<table>\n{chr(10).join(lines)}\n</table>"


def listing(entries: Sequence[tuple[int, bool, str, Any]]) -> Item:
    """A list of (depth, ordered, markdown, bbox), with lists in it where the depth grows."""
    first, ordered, _, _ = entries[0]
    members: list[Item] = []
    lines: list[str] = []
    start, number = 0, 0
    while start < len(entries):
        depth, _, md, bbox = entries[start]
        end = start + 1
        while end < len(entries) and entries[end][0] > first:
            end += 1
        if depth > first:  # begins deeper than it goes on
            inner = listing(entries[start:end])
            members.append(inner)
            lines += [f"  {line}" for line in inner["md"].split("\n")]
        else:
            number += 1
            members.append(text(md, bbox))
            lines.append(f"{f'{number}.' if ordered else '-'} {md}")
            if end > start + 1:
                inner = listing(entries[start + 1 : end])
                members.append(inner)
                lines += [f"{'   ' if ordered else '  '}{line}" for line in inner["md"].split("\n")]
        start = end
    return {"type": "list", "md": "\n".join(lines), "items": members, "ordered": ordered, "bbox": None}


def plain(md: str) -> str:
    """The text of a line of markdown, without its marks."""
    if "\n" in md:
        md = _HARD_BREAK.sub("\n", md)
    if not _MARK.search(md):  # most lines
        return md
    md = _CODE.sub(lambda found: found[2].strip(), _LINK.sub(r"\1", md))
    for _ in range(3):  # bold in italics in a link: deeper than that nobody goes
        md, found = _STRONG.subn(r"\2", md)
        if not found:
            break
    return _ESCAPED.sub(r"\1", md)


def of_markdown(markdown: str) -> list[Item]:
    """The items of a page that is only known as markdown."""
    lines = markdown.split("\n")
    found: list[Item] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif fence := _FENCE.match(line):
            end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith(fence[1])), len(lines))
            found.append(code("\n".join(lines[at + 1 : end]), fence[2]))
            at = end + 1
        elif title := _HEADING.match(line):
            found.append(heading(len(title[1]), title[2].strip()))
            at += 1
        elif "|" in line and at + 1 < len(lines) and "-" in lines[at + 1] and _RULE.fullmatch(lines[at + 1]):
            end = next((n for n in range(at + 2, len(lines)) if "|" not in lines[n]), len(lines))
            found.append(grid([_cells(row) for n, row in enumerate(lines[at:end]) if n != 1]))
            at = end
        elif mark := _LISTED.match(line):
            end = next((n for n in range(at + 1, len(lines)) if _ends_list(lines[n], mark)), len(lines))
            found.append(listing([*_entries(lines[at:end])]))
            at = end
        else:
            end = next((n for n in range(at + 1, len(lines)) if _ends_paragraph(lines[n])), len(lines))
            found += _paragraph("\n".join(lines[at:end]))
            at = end
    return found


def _ends_list(line: str, first: re.Match[str]) -> bool:
    """An empty line, or the first of another list: numbered where this one is not, or the other way round."""
    mark = _LISTED.match(line)
    return not line.strip() or bool(mark and mark[1] == first[1] and mark[2][0].isdigit() != first[2][0].isdigit())


def _ends_paragraph(line: str) -> bool:
    return not line.strip() or bool(_HEADING.match(line) or _FENCE.match(line))


def _paragraph(md: str) -> Iterator[Item]:
    """A paragraph, as pictures if it is nothing else."""
    pictures = [*_IMAGE.finditer(md)]
    if pictures and not _IMAGE.sub("", md).strip():
        yield from (image(found[1], found[2]) for found in pictures)
    else:
        yield text(md)


def _cells(row: str) -> list[str]:
    inner = row.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [plain(cell.strip()) for cell in _PIPE.split(inner)]


def _entries(lines: Sequence[str]) -> Iterator[tuple[int, bool, str, Any]]:
    entry: tuple[int, bool, str, Any] | None = None
    for line in lines:
        if mark := _LISTED.match(line):
            if entry:
                yield entry
            entry = (len(mark[1].expandtabs(4)), mark[2][0].isdigit(), mark[3], None)
        elif entry:
            entry = (*entry[:2], f"{entry[2]} {line.strip()}", None)
    if entry:
        yield entry
