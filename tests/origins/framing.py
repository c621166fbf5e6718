"""Lengths that lie, chunks that are none, and framing that contradicts itself."""

import asyncio

from tests.origins.raw import Exchange
from tests.origins.script import CHUNKED, END, HTML, LENGTH, OK, PAGE, Script, chunk, held, raw

from thresher.domain.failure import FailureCode

MALFORMED, TOO_LARGE = FailureCode.MALFORMED_RESPONSE, FailureCode.TOO_LARGE
HALF = len(PAGE) // 2


async def _small_chunks(exchange: Exchange) -> None:
    await exchange.send(CHUNKED + b"\r\n" + b"".join(chunk(PAGE[i : i + 1]) for i in range(len(PAGE))))
    await exchange.send(chunk(b" ") * 200_000 + END)


async def _bad_later(exchange: Exchange) -> None:
    await exchange.send(CHUNKED + b"\r\n" + chunk(PAGE))
    await asyncio.sleep(0.05)
    await exchange.send(b"zz\r\n")


async def _odd_and_bad_later(exchange: Exchange) -> None:
    await exchange.send(CHUNKED + b"no header\r\n\r\n" + chunk(PAGE))
    await asyncio.sleep(0.05)
    await exchange.send(b"zz\r\n")


def _length(value: bytes) -> bytes:
    return OK + HTML + b"Content-Length: " + value + b"\r\n\r\n" + PAGE


SCRIPTS = (
    Script("the length is longer than the body", raw(_length(b"100000")), MALFORMED, f"{len(PAGE)} of 100000 bytes"),
    Script("the length is shorter than the body", raw(_length(b"%d" % len(PAGE)) + b"and more")),
    Script("the length is negative", raw(_length(b"-1")), MALFORMED, "Content-Length"),
    Script("the length is empty", raw(_length(b"")), MALFORMED, "Content-Length"),
    Script("the length is a word", raw(_length(b"many")), MALFORMED, "Content-Length"),
    Script("the length is hexadecimal", raw(_length(b"0x1f")), MALFORMED, "Content-Length"),
    Script("the length is followed by rubbish", raw(_length(b"%d bytes" % len(PAGE))), MALFORMED, "Content-Length"),
    Script("the length is a petabyte", held(_length(b"1%s" % (b"0" * 15))), TOO_LARGE, "larger than"),
    Script("the length has forty digits", held(_length(b"9" * 40)), MALFORMED, "Content-Length"),
    Script("the length is said twice alike", held(_length(b"%d" % len(PAGE)).replace(LENGTH, LENGTH * 2))),
    Script("the length is said twice and differently", raw(_length(b"5\r\nContent-Length: 7")), MALFORMED, "Content-Length"),
    Script("the length is a list", raw(_length(b"%d, %d" % (len(PAGE), len(PAGE))))),
    Script("there are a length and chunks", raw(CHUNKED + LENGTH + b"\r\n" + chunk(PAGE) + END)),
    Script("there are chunks and a false length", raw(CHUNKED + b"Content-Length: 3\r\n\r\n" + chunk(PAGE) + END)),
    Script("chunks are said twice", raw(CHUNKED.replace(b"chunked", b"chunked, chunked") + b"\r\n" + chunk(PAGE) + END)),
    Script("chunks are not the last coding", raw(CHUNKED.replace(b"chunked", b"chunked, gzip") + b"\r\n" + chunk(PAGE) + END)),
    Script("the transfer coding is identity", raw(CHUNKED.replace(b"chunked", b"identity") + b"\r\n" + PAGE)),
    Script("the transfer coding is unknown", raw(CHUNKED.replace(b"chunked", b"xchunked") + b"\r\n" + PAGE)),
    Script("the transfer coding is a vertical tab away from chunked", raw(CHUNKED.replace(b"chunked", b"\x0bchunked") + b"\r\n" + chunk(PAGE) + END)),
    Script("chunks are in capitals", raw(CHUNKED.replace(b"chunked", b"CHUNKED") + b"\r\n" + chunk(PAGE) + END)),
    Script("a chunk size is no number", raw(CHUNKED + b"\r\nzz\r\n" + PAGE), MALFORMED, "chunk"),
    Script("a chunk size is no number, some time after a good chunk", _bad_later, MALFORMED, "chunk size"),
    Script("a chunk size is no number, some time after an odd head", _odd_and_bad_later, MALFORMED, "chunk size"),
    Script("a chunk size is negative", raw(CHUNKED + b"\r\n-5\r\n" + PAGE), MALFORMED, "chunk"),
    Script("a chunk size begins with 0x", raw(CHUNKED + b"\r\n0x5\r\n" + PAGE), MALFORMED, "chunk"),
    Script("a chunk size has twenty digits", raw(CHUNKED + b"\r\n" + b"f" * 20 + b"\r\n" + PAGE), MALFORMED, "Chunk size overflow"),
    Script("a chunk is a terabyte, and breaks off", raw(CHUNKED + b"\r\nffffffffff\r\n" + PAGE), MALFORMED, "chunk"),
    Script("a chunk size has spaces after it", raw(CHUNKED + b"\r\n%x  \r\n%s\r\n" % (len(PAGE), PAGE) + END)),
    Script("a chunk size has zeros before it", raw(CHUNKED + b"\r\n%020x\r\n%s\r\n" % (len(PAGE), PAGE) + END)),
    Script("a chunk size has an extension", raw(CHUNKED + b'\r\n%x;a=b;c="d"\r\n%s\r\n' % (len(PAGE), PAGE) + END)),
    Script("a chunk is longer than its size", raw(CHUNKED + b"\r\n5\r\n" + PAGE + b"\r\n" + END), MALFORMED, "chunk"),
    Script("chunks end their lines with LF alone", raw(CHUNKED + b"\r\n" + (chunk(PAGE) + END).replace(b"\r\n", b"\n")), MALFORMED, "chunk"),
    Script("the last chunk is missing", raw(CHUNKED + b"\r\n" + chunk(PAGE)), MALFORMED, "chunk"),
    Script("the end after the last chunk is missing", raw(CHUNKED + b"\r\n" + chunk(PAGE) + b"0\r\n"), MALFORMED, "chunk"),
    Script("a chunk breaks off", raw(CHUNKED + b"\r\n" + chunk(PAGE)[:HALF]), MALFORMED, "chunk"),
    Script("the chunks are of one byte each", _small_chunks),
    Script("trailers follow the chunks", held(CHUNKED + b"\r\n" + chunk(PAGE) + b"0\r\nX-Sum: 1\r\n\r\n")),
    Script("a trailer says a length", held(CHUNKED + b"\r\n" + chunk(PAGE) + b"0\r\nContent-Length: 3\r\n\r\n"), MALFORMED, "Content-Length"),
    Script("ten thousand trailers follow the chunks", held(CHUNKED + b"\r\n" + chunk(PAGE) + b"0\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n"), MALFORMED, ""),
    Script("an answer of HTTP/1.0 ends with its connection", raw(b"HTTP/1.0 200 OK\r\n" + HTML + b"\r\n" + PAGE)),
    Script("an answer of HTTP/1.0 is kept alive", held(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + HTML + LENGTH + b"\r\n" + PAGE)),
    Script("an answer of HTTP/1.0 is in chunks", raw(CHUNKED.replace(b"1.1", b"1.0") + b"\r\n" + chunk(PAGE) + END)),
    Script("an answer of HTTP/1.1 says nothing of its length", raw(OK + HTML + b"\r\n" + PAGE)),
    Script("an answer says close and leaves it open", held(OK + b"Connection: close\r\n" + HTML + LENGTH + b"\r\n" + PAGE)),
)  # fmt: skip
