"""The parts that domain/url.py reads from a serialised URL are those that the parser itself gives."""

import ada_url
from hypothesis import given, settings
from hypothesis import strategies as st

from thresher.domain.url import InvalidUrl, parse

_PIECES = [
    *("http:", "https:", "ftp:", "mailto:", "//", "/", "\\", "@", "user:pw@", "[::1]", ":80", ":443", ":0", ":8080"),
    *("example.com", "münchen.de", "1.2.3.4", "0x7f.1", "%40", "%2f", "?", "??", "#", "#?", "a", "..", "\t", " ", "é"),
]
_text = st.lists(st.sampled_from(_PIECES) | st.text(max_size=3), max_size=7).map("".join)
_start = st.sampled_from(["", "http://", "https://", "http:", "https://example.com", "http://example.com/"])


@settings(max_examples=1500, deadline=None)
@given(start=_start, text=_text, base=st.sampled_from([None, "http://base.example/x/y?z", "https://b.example:8443/"]))
def test_the_parts_of_a_url_are_those_that_the_parser_gives(start: str, text: str, base: str | None) -> None:
    try:
        found = parse(start + text, base)
    except InvalidUrl:
        return
    truth = ada_url.URL(start + text, base=base)
    assert found.href == truth.href
    assert f"{found.scheme}:" == truth.protocol
    assert (truth.username, truth.password) == ("", "")
    assert found.host == truth.hostname.removeprefix("[").removesuffix("]").removesuffix(".")
    assert found.port == int(truth.port or {"http": 80, "https": 443}[found.scheme])
    assert found.path == truth.pathname + truth.search


@settings(max_examples=500, deadline=None)
@given(text=_text)
def test_what_is_refused_is_invalid_or_has_credentials_port_zero_or_an_empty_last_label(text: str) -> None:
    try:
        parse("https://" + text)
    except InvalidUrl:
        try:
            truth = ada_url.URL("https://" + text)
        except ValueError:
            return
        assert (
            truth.username
            or truth.password
            or truth.port == "0"
            or truth.hostname == "."
            or truth.hostname.endswith("..")
        )
