"""The short cut for plain URLs gives what the parser gives."""

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresher.convert.links import Resolver

BASES = (
    "https://barn.example/a/b?c#d",
    "http://user@barn.example:8080/",
    "http://127.0.0.1/x/",
    "https://bücher.example/ü",
)
PIECES = st.sampled_from(
    [
        *(
            "/",
            "//",
            ".",
            "..",
            "/.",
            "/..",
            "%2e",
            "%2E",
            "/%2",
            "a",
            "B",
            "index.html",
            "?",
            "&x=1",
            "#",
            "#frag",
            "%",
            "%zz",
        ),
        *(
            "http:",
            "https:",
            "http://",
            "https://",
            "HTTP://",
            "barn.example",
            "1.2.3",
            "0x7f.1",
            "xn--a",
            "xn--bcher-kva.de",
        ),
        *(
            ":",
            ":80",
            ":443",
            "@",
            "\\",
            " ",
            "\t",
            "\n",
            "'",
            '"',
            "<",
            ">",
            "|",
            "^",
            "`",
            "{",
            "}",
            "[",
            "]",
            "ü",
            "例え",
            "\u00ad",
        ),
        *(
            "~",
            "!",
            "$",
            "(",
            ")",
            "*",
            ",",
            ";",
            "=",
            "+",
            "-",
            "_",
            "--",
            "a.b.co/",
            "a-.example/",
            "-a.example/",
            "\0",
            "\ufffd",
        ),
    ]
)


def by_the_parser(base: str, href: str) -> str | None:
    try:
        return ada_url.join_url(base, href)
    except ValueError:
        return None


@given(st.sampled_from(BASES), st.lists(PIECES, max_size=8).map("".join))
def test_any_reference_resolves_as_the_parser_resolves_it(base, href):
    assert Resolver(base).resolve(href) == by_the_parser(base, href)


@given(st.sampled_from(["http://", "https://", "/", ""]), st.text(st.characters(max_codepoint=0x17F), max_size=30))
def test_any_text_resolves_as_the_parser_resolves_it(start, rest):
    assert Resolver(BASES[0]).resolve(start + rest) == by_the_parser(BASES[0], start + rest)


@pytest.mark.parametrize("href", ["https://barn.example/a/b?c=1&d#e", "/a/b.html", "/?q=%C3%BC"])
def test_plain_references_are_unchanged_but_for_the_origin(href):
    assert Resolver("https://barn.example/x").resolve(href) == (
        href if "://" in href else "https://barn.example" + href
    )
