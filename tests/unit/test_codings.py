"""Which content coding a client gets, and that every piece can be read the moment it is there."""

import zlib

import pytest
import zstandard

from thresher.api.codings import Encoder, choose

CHOICES = [
    ([], None),
    ([""], None),
    (["gzip"], "gzip"),
    (["GZIP"], "gzip"),
    (["x-gzip"], "gzip"),
    (["zstd"], "zstd"),
    (["gzip, deflate, br, zstd"], "zstd"),
    (["gzip, deflate"], "gzip"),
    (["gzip", "zstd"], "zstd"),
    (["gzip;q=1.0, zstd;q=0.5"], "gzip"),
    (["gzip ; q=0.2 , zstd; Q=0.3"], "zstd"),
    (["gzip;q=0, zstd;q=0"], None),
    (["gzip;q=0.0001, zstd;q=0"], "gzip"),
    (["identity"], None),
    (["identity, gzip;q=0.5"], None),
    (["identity;q=0.5, gzip;q=0.5"], "gzip"),
    (["identity;q=0"], None),
    (["*"], "zstd"),
    (["*;q=0.1, zstd;q=0"], "gzip"),
    (["*;q=0"], None),
    (["br"], None),
    (["gzip;q=abc"], None),
    (["gzip;q=nan"], None),
    (["gzip;q=7"], "gzip"),
    (["gzip;level=9"], "gzip"),
    ([",,;q=1,gzip,"], "gzip"),
]


@pytest.mark.parametrize(("fields", "coding"), CHOICES)
def test_the_largest_weight_wins_and_no_coding_is_never_refused(fields: list[str], coding: str | None) -> None:
    assert choose(fields) == coding


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_every_piece_can_be_decoded_when_it_is_there_and_the_end_makes_it_whole(coding: str) -> None:
    encoder = Encoder(coding)
    decoder = zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    pieces = [b"one line\n" * 50, b"", b"a second line\n" * 5000, b"x"]
    for piece in pieces:
        assert decoder.decompress(encoder.piece(piece)) == piece
    assert not decoder.eof
    assert decoder.decompress(encoder.end()) == b""
    assert decoder.eof


def test_without_a_coding_the_pieces_are_left_alone() -> None:
    encoder = Encoder(None)
    assert (encoder.piece(b"abc"), encoder.end()) == (b"abc", b"")
