"""Heads that the parser refuses, as browsers read them."""

import pytest

from thresher.net.repair import head_and_rest, repaired

STATUS = b"HTTP/1.1 200 OK"


def lines(*fields: bytes) -> bytes:
    return b"\r\n".join([STATUS, *fields, b"", b""])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((b"A: b", b"rubbish", b"C: d"), (b"A: b", b"C: d")),
        ((b": b", b"\xc3\xa4: b", b"A b: c", b"A: b\0c"), ()),
        ((b"A : b", b"C:\td "), (b"A: b", b"C: d")),
        ((b"Content-Length: 5", b"content-length: 5"), (b"Content-Length: 5",)),
        ((b"Content-Length: 5, 5",), (b"Content-Length: 5",)),
        ((b"Content-Length: 5", b"Content-Length: 6"), (b"Content-Length: 5", b"Content-Length: 6")),
        ((b"Content-Length: 5, 6",), (b"Content-Length: 5, 6",)),
        ((b"Content-Length: 5", b"Transfer-Encoding: Chunked"), (b"Transfer-Encoding: Chunked",)),
        ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: chunked",)),
        ((b"Set-Cookie: a", b"Set-Cookie: a"), (b"Set-Cookie: a", b"Set-Cookie: a")),
    ],
)
def test_a_head_is_repaired_where_browsers_agree_and_left_where_they_refuse(
    given: tuple[bytes, ...], kept: tuple[bytes, ...]
) -> None:
    assert repaired(lines(*given)) == lines(*kept)


@pytest.mark.parametrize(
    ("data", "head", "rest"),
    [
        (STATUS + b"\r\nA: b\r\n\r\nbody\r\n\r\n", STATUS + b"\r\nA: b\r\n\r\n", b"body\r\n\r\n"),
        (STATUS + b"\nA: b\n\nbody", STATUS + b"\nA: b\n\n", b"body"),
        (b"\r\n\r\n" + STATUS + b"\r\n\r\n", STATUS + b"\r\n\r\n", b""),
        (STATUS + b"\r\nA: b\r\n", b"", STATUS + b"\r\nA: b\r\n"),
    ],
)
def test_a_head_ends_at_its_first_empty_line(data: bytes, head: bytes, rest: bytes) -> None:
    assert head_and_rest(data) == (head, rest)
