"""Every bomb of tests/support/bombs.py, in a real child: a document, or a failure by name; and the child within its cap."""

import asyncio
import contextlib
from collections.abc import Iterable

import pytest
import turbohtml
from tests.convert.test_sandbox import MIB, make, page
from tests.support.bombs import HTML, OTHERS
from tests.support.memory import peak

from thresher.convert.document import Source
from thresher.domain.failure import FailureCode, ItemFailed

SIZE = 160_000  # bytes: what is quadratic at all takes its processor time here
CAP = 256 * MIB
START = 160 * MIB  # address space and memory of a child before its first page, at most
# What grows into more than any cap by its nature, and not by ours.
ENDED = {"reconstructed": "memory"}
OUTCOMES = {FailureCode.CONVERSION_LIMIT, FailureCode.UNSUPPORTED_CONTENT, FailureCode.CONVERSION_FAILED}


async def ends(sources: Iterable[tuple[str, Source]]) -> dict[str, str]:
    """What became of each: "" for a document, else code and detail. Good pages in between are all converted."""
    converter = await make(cpu_seconds=5.0, memory_bytes=CAP)
    found = {}
    try:
        for number, (name, source) in enumerate(sources):
            bomb, neighbour = await asyncio.gather(
                converter.convert(source), converter.convert(page(number)), return_exceptions=True
            )
            assert neighbour.facts["title"] == str(number), name
            found[name] = f"{bomb.failure.code} {bomb.failure.detail}" if isinstance(bomb, ItemFailed) else ""
            assert isinstance(bomb, ItemFailed) or bomb.facts["kind"], name
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                assert converter.pid is None or peak(converter.pid) < START + CAP, name
    finally:
        await converter.close()
    return found


async def test_every_bomb_of_html_becomes_a_document_or_fails_by_name() -> None:
    found = await ends(
        (name, Source("https://barn.example/", make_it(SIZE), "text/html")) for name, make_it in HTML.items()
    )
    failed = {name: end for name, end in found.items() if end}
    assert failed.keys() == ENDED.keys(), failed
    assert all(end.startswith(f"conversion_limit {ENDED[name]}") for name, end in failed.items()), failed


async def test_every_bomb_of_data_becomes_a_document_or_fails_by_name() -> None:
    found = await ends(
        (name, Source("https://barn.example/", make_it(SIZE), declared or None))
        for name, (declared, make_it) in OTHERS.items()
    )
    assert [end for end in found.values() if end and end.split()[0] not in OUTCOMES] == []
    assert not [end for end in found.values() if "cpu" in end or "died" in end], found


async def test_what_an_entity_names_is_not_read_from_a_file() -> None:
    converter = await make()
    try:
        body = OTHERS["an entity from a file"][1](0)
        with contextlib.suppress(ItemFailed):
            made = await converter.convert(Source("https://barn.example/", body, "application/xml"))
            assert b"root:" not in made.frame
    finally:
        await converter.close()


@pytest.mark.parametrize("unit", ["<div>", "<b>", "<ul><li>", "<table><tr><td>", "<svg><g>", "<blockquote>"])
def test_no_tree_is_deeper_than_browsers_make_it(unit: str) -> None:
    document = turbohtml.parse(unit * 3000 + "deepest", positions=False, scripting=True)
    level, depth = [document.root], 0
    while level:
        level = [each for element in level if element is not None for each in element.children if hasattr(each, "tag")]
        depth += 1
    assert depth <= 520
    assert "svg" in unit or "deepest" in document.to_text()
