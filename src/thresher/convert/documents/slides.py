"""PPTX: a page for each slide, with its size and what its speaker has noted."""

import dataclasses
import secrets
from xml.etree import ElementTree as ET

from thresher.convert.documents import flow, office, package
from thresher.convert.documents.made import Bounds, Made
from thresher.convert.documents.rendered import rendered
from thresher.domain.documents import DocumentOptions

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_EMU = 12_700  # to a point
_PLACED = (None, "body")  # placeholders of a page of notes that hold notes


def pptx(data: bytes, form: str, options: DocumentOptions, bounds: Bounds) -> Made:
    parts = package.unpack(data, bounds)
    mark = secrets.token_hex(8)  # no slide can say it
    result = office.extract(package.pack(parts), form, marker=f"\n\n{mark}\n\n")
    markdown, text = rendered(result.content.replace("\0", ""))
    slides = [*zip(*(_cut(mark, one) for one in (markdown, text)), strict=True)]
    (width, height), notes = _size(parts), _notes(parts)
    pages = [
        dataclasses.replace(page, width=width, height=height, notes=notes.get(page.number))
        for page in flow.pages_of(slides, options)
    ]
    return Made(pages, len(slides), office.metadata_of(result.metadata))


def _cut(mark: str, content: str) -> list[str]:
    """What stands behind each mark; all of it if there is none."""
    before, *slides = map(str.strip, content.split(mark))
    return slides or [before]


def _size(parts: package.Parts) -> tuple[float | None, float | None]:
    size = _root(parts, "ppt/presentation.xml").find(f"{_P}sldSz")
    try:
        return (int(size.attrib["cx"]) / _EMU, int(size.attrib["cy"]) / _EMU) if size is not None else (None, None)
    except (KeyError, ValueError):
        return None, None


def _notes(parts: package.Parts) -> dict[int, str]:
    """What is noted to the slides, by their place."""
    targets = _targets(parts, "ppt/_rels/presentation.xml.rels", "/slide")
    found = {}
    for place, slide in enumerate(_root(parts, "ppt/presentation.xml").iterfind(f"{_P}sldIdLst/{_P}sldId"), 1):
        name = targets.get(slide.get(f"{_R}id", ""), "").rpartition("/")[2]
        for target in _targets(parts, f"ppt/slides/_rels/{name}.rels", "/notesSlide").values():
            if said := _said(_root(parts, f"ppt/notesSlides/{target.rpartition('/')[2]}")):
                found[place] = said
    return found


def _said(notes: ET.Element) -> str:
    lines = []
    for shape in notes.iter(f"{_P}sp"):
        placeholder = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
        if placeholder is not None and placeholder.get("type") in _PLACED:
            lines += ["".join(run.text or "" for run in line.iter(f"{_A}t")) for line in shape.iter(f"{_A}p")]
    return "\n".join(lines).strip()


def _targets(parts: package.Parts, name: str, kind: str) -> dict[str, str]:
    relations = [*_root(parts, name)]
    return {one.get("Id", ""): one.get("Target", "") for one in relations if one.get("Type", "").endswith(kind)}


def _root(parts: package.Parts, name: str) -> ET.Element:
    return package.tree(parts.get(name, b""))
