"""Content codings: false, broken, piled up, and bombs."""

import asyncio
import gzip
import zlib
from collections.abc import Callable

import brotli
import zstandard
from tests.origins.raw import Exchange, Responder
from tests.origins.script import HTML, OK, PAGE, Script

from thresher.domain.failure import FailureCode

BAD, BOMB = FailureCode.BAD_ENCODING, FailureCode.DECOMPRESSION_BOMB
MIB, GIB = 2**20, 2**30

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def coded(encoding: str, make: Callable[[], bytes]) -> Responder:
    """Answers with what `make` returns; it is called when asked, not when the catalogue is read."""

    async def respond(exchange: Exchange) -> None:
        body = await asyncio.to_thread(make)
        head = b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(body))
        await exchange.send(OK + HTML + head + body)

    return respond


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def gzip_zeros(size: int) -> bytes:
    """`size` zeros (a multiple of a MiB) in gzip, without ever having them: one compressed MiB, repeated."""
    packer = zlib.compressobj(9, wbits=-15)
    packer.compress(bytes(MIB))
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    head, tail = b"\x1f\x8b\x08\0\0\0\0\0\0\3", b"\3\0" + bytes(4) + (size % 2**32).to_bytes(4, "little")
    return head + block * (size // MIB) + tail


def zstd_zeros(size: int) -> bytes:
    """`size` zeros (a multiple of 128 KiB) in run-length blocks (RFC 8878, section 3.1.1.2.2)."""
    run, last = ((2**17) << 3 | 1 << 1).to_bytes(3, "little") + b"\0", (1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x00\x38" + run * (size // 2**17) + last


def br_zeros(size: int) -> bytes:
    """`size` zeros (a multiple of 16 MiB) in Brotli."""
    packer, block = brotli.Compressor(quality=1), bytes(16 * MIB)
    return b"".join([*(packer.process(block) for _ in range(size // len(block))), packer.finish()])


def _each(name: str, spoil: Callable[[bytes], bytes], code: FailureCode | None, says: str = "") -> list[Script]:
    return [
        Script(name.format(coding), coded(coding, lambda pack=pack: spoil(pack(PAGE))), code, says.format(coding))
        for coding, pack in PACK.items()
    ]


def _one(name: str, coding: str, make: Callable[[], bytes], code: FailureCode | None = None, says: str = "") -> Script:
    return Script(name, coded(coding, make), code, says)


def _halves(pack: Callable[[bytes], bytes]) -> bytes:
    return pack(PAGE[:99]) + pack(PAGE[99:])


def _piled(*packs: Callable[[bytes], bytes]) -> bytes:
    body = PAGE
    for pack in packs:
        body = pack(body)
    return body


SCRIPTS = (
    *_each("a {} body is whole", lambda data: data, None),
    *_each("a {} body breaks off", lambda data: data[:-9], BAD, "{}"),
    *_each("a {} body is broken in the middle", lambda data: data[:40] + b"\xff" * 40 + data[80:], BAD, "{}"),
    *_each("a body is said to be {}, and is the plain page", lambda _: PAGE, BAD, "{}"),
    *_each("a {} body is its first byte", lambda data: data[:1], BAD, "{}"),
    _one("a gzip body has two members", "gzip", lambda: _halves(gzip.compress)),
    _one("a zstd body has two frames", "zstd", lambda: _halves(zstandard.compress)),
    _one("a gzip body has a MiB of tiny members", "gzip", lambda: gzip.compress(PAGE) + gzip.compress(b" ") * (MIB // 21)),
    _one("a zstd body has a MiB of tiny frames", "zstd", lambda: zstandard.compress(PAGE) + zstandard.compress(b" ") * (MIB // 14)),
    _one("a gzip body has rubbish behind it", "gzip", lambda: gzip.compress(PAGE) + b"rubbish"),
    _one("a gzip body has zeros behind it", "gzip", lambda: gzip.compress(PAGE) + bytes(512)),
    _one("a gzip body has a false checksum", "gzip", lambda: gzip.compress(PAGE)[:-8] + b"12345678", BAD, "gzip"),
    _one("a deflate body is raw", "deflate", lambda: raw_deflate(PAGE)),
    _one("a body is in gzip twice", "gzip, gzip", lambda: _piled(gzip.compress, gzip.compress)),
    _one("a body is in gzip, then br", "gzip, br", lambda: _piled(gzip.compress, brotli.compress)),
    _one("a body is in three codings", "gzip, zstd, br", lambda: _piled(gzip.compress, zstandard.compress, brotli.compress)),
    _one("a body is in four codings", "gzip,gzip,gzip,gzip", lambda: _piled(*[gzip.compress] * 4), BAD, "4 content codings"),
    _one("a coding is in capitals", "GZip", lambda: gzip.compress(PAGE)),
    _one("a coding has its old name", "x-gzip", lambda: gzip.compress(PAGE)),
    _one("a coding is identity", "identity", lambda: PAGE),
    _one("a coding is unknown", "lzma", lambda: PAGE, BAD, "'lzma'"),
    _one("a coding is a charset", "utf-8", lambda: PAGE, BAD, "'utf-8'"),
    _one("a coding is empty", ",", lambda: PAGE),
    _one("a body is in gzip, and nobody says so", "identity", lambda: gzip.compress(PAGE), FailureCode.UNSUPPORTED_CONTENT, "gzip"),
    _one("a gzip body is ten GiB of zeros", "gzip", lambda: gzip_zeros(10 * GIB), BOMB, "decompresses to more"),
    _one("a deflate body is a GiB of zeros", "deflate", lambda: gzip_zeros(GIB)[10:-8], BOMB, "decompresses to more"),
    _one("a zstd body is ten GiB of zeros", "zstd", lambda: zstd_zeros(10 * GIB), BOMB, "decompresses to more"),
    _one("a br body is 256 MiB of zeros", "br", lambda: br_zeros(256 * MIB), BOMB, "decompresses to more"),
    _one("a nested gzip body is ten GiB of zeros", "gzip, gzip", lambda: gzip.compress(gzip_zeros(10 * GIB)), BOMB, "decompresses to more"),
    _one("a nested zstd body is ten GiB of zeros", "zstd, gzip", lambda: gzip.compress(zstd_zeros(10 * GIB)), BOMB, "decompresses to more"),
    _one("a body is gzip in gzip in gzip of zeros", "gzip, gzip, gzip", lambda: gzip.compress(gzip.compress(gzip_zeros(10 * GIB))), BOMB, "decompresses to more"),
)  # fmt: skip
