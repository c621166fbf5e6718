"""How long each step of the conversions took, read from the packs of a finished batch: the frames say it."""

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

_LENGTH = struct.Struct("<I")


def of_packs(folder: Path) -> dict[str, float]:
    """Milliseconds by step, of all frames together."""
    total: dict[str, float] = defaultdict(float)
    for path in folder.rglob("packs/*/*"):
        for header in _headers(path.read_bytes()):
            for step, ms in header["meta"]["convert_ms"].items():
                total[step] += ms
    return dict(total)


def _headers(pack: bytes) -> Iterator[dict[str, Any]]:
    """A pack is frames in a row, as convert/frame.py writes them."""
    at = 0
    while at < len(pack):
        start = at + 8 + _LENGTH.unpack_from(pack, at + 4)[0]
        header = orjson.loads(pack[at + 8 : start])
        yield header
        at = start + max(offset + stored for offset, stored, _, _ in header["parts"].values()) + 4
