"""Content codings, undone under a cap."""

import gzip
import random
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from thresher.convert.decode import decode_body
from thresher.domain.failure import FailureCode, ItemFailed

PAGE = b"<!doctype html><title>Grain</title>" + b"<p>wheat, rye, barley and oats</p>" * 200
LIMIT = 10 * 2**20


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def zstd_of_unknown_size(data: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


CODINGS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstd),
    ("zstd", zstd_of_unknown_size),
]
each_coding = pytest.mark.parametrize(
    ("name", "compress"), CODINGS, ids=lambda value: getattr(value, "__name__", value)
)


def code_of(body: bytes, encoding: str | None, limit: int = LIMIT) -> FailureCode:
    with pytest.raises(ItemFailed) as caught:
        decode_body(body, encoding, limit)
    return caught.value.failure.code


@each_coding
def test_each_coding_is_undone(name, compress):
    assert decode_body(compress(PAGE), name, LIMIT) == PAGE


@each_coding
def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(name, compress):
    assert decode_body(compress(PAGE), name, len(PAGE)) == PAGE
    assert code_of(compress(PAGE), name, len(PAGE) - 1) is FailureCode.DECOMPRESSION_BOMB


@each_coding
def test_a_bomb_is_stopped_at_the_limit(name, compress):
    assert code_of(compress(bytes(50 * 2**20)), name, 2**20) is FailureCode.DECOMPRESSION_BOMB


@each_coding
def test_a_bomb_takes_little_more_memory_than_the_limit(name, compress):
    body = compress(bytes(64 * 2**20))
    tracemalloc.start()
    try:
        code_of(body, name, 2**20)
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


@each_coding
def test_a_stream_that_ends_early_is_refused_wherever_it_ends(name, compress):
    body = compress(random.Random(7).randbytes(5000))
    for end in (1, 5, 11, len(body) // 2, len(body) - 1):
        assert code_of(body[:end], name) is FailureCode.BAD_ENCODING, end


@each_coding
def test_an_empty_page_and_an_empty_body_are_empty(name, compress):
    assert decode_body(compress(b""), name, LIMIT) == b""
    assert decode_body(b"", name, LIMIT) == b""


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
def test_a_body_that_is_not_in_the_declared_coding_is_refused(name):
    assert code_of(b"<html>plain, whatever the header says</html>", name) is FailureCode.BAD_ENCODING


def test_a_damaged_gzip_checksum_is_refused():
    body = bytearray(gzip.compress(PAGE))
    body[-6] ^= 0xFF
    assert code_of(bytes(body), "gzip") is FailureCode.BAD_ENCODING


def test_all_members_of_a_gzip_body_are_read():
    parts = [random.Random(n).randbytes(n * 100) for n in range(60)]
    assert decode_body(b"".join(map(gzip.compress, parts)), "gzip", LIMIT) == b"".join(parts)


def test_a_truncated_last_member_is_refused():
    assert code_of(gzip.compress(PAGE) + gzip.compress(PAGE)[:-3], "gzip") is FailureCode.BAD_ENCODING


def test_the_limit_holds_over_all_members_together():
    assert code_of(gzip.compress(bytes(1000)) * 1100, "gzip", 2**20) is FailureCode.DECOMPRESSION_BOMB


@pytest.mark.timeout(20)
def test_a_hundred_thousand_tiny_members_take_no_quadratic_time():
    assert decode_body(gzip.compress(b"x", mtime=0) * 100_000, "gzip", LIMIT) == b"x" * 100_000


def test_padding_after_the_last_member_is_ignored():
    assert decode_body(gzip.compress(PAGE) + bytes(512), "gzip", LIMIT) == PAGE


def test_two_zstd_frames_are_one_body():
    assert decode_body(zstd(b"one ") + zstd(b"two"), "zstd", LIMIT) == b"one two"


@pytest.mark.timeout(20)
def test_a_million_tiny_zstd_frames_take_no_quadratic_time():
    empty = zstandard.ZstdCompressor(write_content_size=False).compress(b"")
    assert decode_body(zstd(b"x") + empty * 400_000 + zstd(b"y"), "zstd", LIMIT) == b"xy"


def test_a_second_zstd_frame_that_ends_early_is_refused():
    assert code_of(zstd(PAGE) + zstd(PAGE)[:-1], "zstd") is FailureCode.BAD_ENCODING


def test_a_chain_is_undone_from_its_end():
    assert decode_body(brotli.compress(gzip.compress(PAGE)), "gzip, br", LIMIT) == PAGE
    assert decode_body(zstd(brotli.compress(gzip.compress(PAGE))), "gzip,br , zstd", LIMIT) == PAGE


def test_the_limit_holds_inside_a_chain():
    assert code_of(gzip.compress(gzip.compress(bytes(2**24))), "gzip, gzip", 2**16) is FailureCode.DECOMPRESSION_BOMB


def test_a_chain_of_four_is_refused():
    assert code_of(b"x", "gzip, gzip, gzip, gzip") is FailureCode.BAD_ENCODING


def test_identity_and_absence_leave_the_body_alone():
    for encoding in (None, "", "identity", "Identity, identity"):
        assert decode_body(PAGE, encoding, LIMIT) == PAGE


def test_a_plain_body_over_the_limit_is_refused():
    assert code_of(PAGE, None, 100) is FailureCode.DECOMPRESSION_BOMB


@pytest.mark.parametrize("name", ["compress", "utf-8", "gzip;q=1", "none"])
def test_an_unknown_coding_is_refused_by_name(name):
    with pytest.raises(ItemFailed, match=name.split(";")[0]) as caught:
        decode_body(PAGE, name, LIMIT)
    assert caught.value.failure.code is FailureCode.BAD_ENCODING
