"""Parsers of packages, imported and run by a real child: what they make, what may be wrong with them, and what that harms."""

from pathlib import Path

import orjson
import pytest
from tests.support.plugins import FOLDER, installed

from thresher.convert.converter import Converter
from thresher.convert.document import How, Source
from thresher.convert.frame import Frame
from thresher.convert.sandbox import Converted
from thresher.domain import credit, parsers, plugins
from thresher.domain.failure import ItemFailed

URL = "https://barn.example/"
DOCS = Path(__file__).parents[2] / "docs"


async def started() -> Converter:
    converter = Converter(
        timeout=60, cpu_seconds=0.5, memory_bytes=2**28, max_decoded_bytes=2**20, max_output_bytes=2**20
    )
    await converter.start()
    return converter


async def read(converter: Converter, parser: str, path: str = "", html: str = "<h1>Rye</h1>\0") -> Converted:
    return await converter.convert(Source(URL + path, html.encode(), "text/html"), None, How(parser))


def test_without_packages_nothing_is_looked_for_but_by_names_that_may_be_theirs() -> None:
    plugins.entries.cache_clear()
    assert parsers.find("@thresher/links")
    assert parsers.find("shop") is None
    assert plugins.entries.cache_info().misses == 0
    assert parsers.find("@acme/headings") is None
    assert plugins.entries() == ()


def test_the_page_of_plugins_shows_the_package_that_these_tests_install() -> None:
    page = (DOCS / "plugins.md").read_text("utf-8")
    for module in ("__init__", "headings"):
        code = (FOLDER / "good" / "acme_barn" / f"{module}.py").read_text("utf-8")
        assert f"```python\n# acme_barn/{module}.py\n{code}```" in page
    assert (FOLDER / "good" / "acme_barn-1.2.dist-info" / "entry_points.txt").read_text("utf-8") == (
        "[thresher.parsers]\nheadings = acme_barn:HEADINGS\n"
    )
    assert 'headings = "acme_barn:HEADINGS"' in page


async def test_a_package_adds_a_parser_under_every_limit_and_confinement() -> None:
    with installed("good", "bad"):
        added = parsers.find("@acme/headings")
        assert added is not None
        assert (added.package, added.credits, added.schema["required"]) == ("acme-barn 1.2", 2, ["headings"])
        assert credit.price({"parser": "@acme/headings"}) == 2
        converter = await started()
        try:
            frame = Frame.parse((await read(converter, "@acme/headings")).frame)
            assert frame.json(100) == '{"headings":["Rye"]}'
            assert frame.markdown.strip() == "# Rye"
            none = (await read(converter, "@acme/headings", html="<p>x")).facts["unparsed"]
            assert none == {"code": "parser_no_match", "detail": "The page has no headings."}
            said = Frame.parse((await read(converter, "@acme/whims", "x")).frame)
            assert orjson.loads(said.json(100) or "") == {"url": f"{URL}x", "nul": False}
            reached = Frame.parse((await read(converter, "@acme/whims", "reach")).frame)
            if not converter.missing:
                assert orjson.loads(reached.json(200) or "") == {"reached": ["PermissionError"] * 3}
            for path, code, detail in (
                ("list", "parser_failed", "TypeError: the parser made no dict, but list"),
                ("set", "parser_failed", "TypeError: Type is not JSON serializable: set"),
                ("half", "parser_failed", "TypeError: str is not valid UTF-8: surrogates not allowed"),
                ("raise", "parser_failed", "LookupError: half ? a character"),
                ("exit", "parser_failed", "RuntimeError: the parser wanted to end the process"),
                ("interrupt", "parser_failed", "RuntimeError: the parser wanted to end the process"),
                ("nothing", "parser_no_match", "The parser found nothing."),
            ):
                made = await read(converter, "@acme/whims", path)
                assert made.facts["unparsed"] == {"code": code, "detail": detail}
            with pytest.raises(ItemFailed, match="cpu: not done after"):
                await read(converter, "@acme/whims", "spin")
            gone = await read(converter, "@acme/nowhere")
            assert gone.facts["unparsed"]["detail"] == "This worker has no parser @acme/nowhere."
        finally:
            await converter.close()


async def test_what_is_wrong_with_a_package_is_said_by_name_and_the_rest_is_there() -> None:
    with installed("bad"):
        assert [*plugins.installed().plugins] == ["@acme/whims", "@acme/nowhere"]
        described = plugins.installed().faults
        converter = await started()
        faults = converter.faults
        await converter.close()
    assert faults[:-1] == described
    expected = (
        "@thresher/mine is of a vendor that is not yours",
        "@acme/whims is that of acme-weeds 0.1 already",
        "'whims' is not of the form @vendor/name",
        "credits -1 are no integer",
        "schema is not that of an object",
        "of the type type",
        "ModuleNotFoundError: No module named 'acme_weeds.gone'",
        "AttributeError: module 'acme_weeds' has no attribute 'ABSENT'",
        "Dict key must be str",
        "str is not valid UTF-8",
        "@acme/nowhere of acme-weeds 0.1: ModuleNotFoundError",
    )
    assert len(faults) == len(expected)
    for fault, words in zip(faults, expected, strict=True):
        assert "of acme-weeds 0.1: " in fault
        assert words in fault


async def test_a_package_that_could_not_be_confined_is_left_out_with_all_others_and_the_child_serves() -> None:
    with installed("good", "thready"):
        converter = await started()
        try:
            assert len(converter.faults) == 1
            assert "@acme/threads of acme-threads 3 starts threads when it is imported" in converter.faults[0]
            assert (await read(converter, "@thresher/links")).facts["unparsed"] is None
            lost = (await read(converter, "@acme/headings")).facts["unparsed"]
            assert lost["detail"] == "This worker has no parser @acme/headings."
        finally:
            await converter.close()
