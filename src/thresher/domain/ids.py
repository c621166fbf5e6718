"""Identifiers that leave the system.

A batch's public id is random. An item has no stored id: its retrieve id is the pair (batch key, position)
put through a keyed permutation, so that it needs no column and no index, is safe in a path or a query, and
cannot be guessed or counted.
"""

import base64
import functools
import hashlib
import re
import secrets
import uuid
from collections.abc import Callable

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_ROUNDS = 4  # of Luby-Rackoff: a strong pseudorandom permutation of the 16-byte block
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]  # base 1,024: base64.b32encode takes longer
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_BARE = re.compile(_UUID)
_PREFIXED = re.compile(f"([a-z]{{3}})-({_UUID})")
_BATCH_ID = re.compile(f"batch_[a-z0-9]{{1,40}}|(?:bjb|bat|prs)-{_UUID}")
_SHIFTS = range(120, -1, -10)  # of the block's 128 bits and two of padding


def batch_id() -> str:
    """A new public batch id: `batch_` and 12 random characters of a-z0-9 (62 bits)."""
    return "batch_" + "".join(secrets.choice(_ALPHABET) for _ in range(12))


def batch_id_like(public_id: str) -> str:
    """A new public batch id of the same kind as another."""
    prefix, dash, _ = public_id.partition("-")
    return prefixed(prefix) if dash else batch_id()


def is_batch_id(text: str) -> bool:
    """Whether a text could be a public batch id."""
    return _BATCH_ID.fullmatch(text) is not None


def is_of_parse_api(public_id: str) -> bool:
    """Whether a public batch id is of the parse API."""
    return _BATCH_ID.fullmatch(public_id) is not None and "-" in public_id


def prefixed(prefix: str) -> str:
    """A new random id as the parse API has them: a prefix and a UUID. Batches are `bjb` (a batch job), `bat` and `prs` (of one parse)."""
    return f"{prefix}-{uuid.uuid4()}"


def unprefixed(prefix: str, text: str) -> uuid.UUID | None:
    """The UUID of such an id, or None if that is not its form, in its one spelling."""
    match = _PREFIXED.fullmatch(text)
    return uuid.UUID(match[2]) if match and match[1] == prefix else None


def bare(text: str) -> uuid.UUID | None:
    """The UUID of an id that is nothing else, such as a file's, or None if that is not its form."""
    return uuid.UUID(text) if _BARE.fullmatch(text) else None


def error_id() -> str:
    """The id of one problem response, the same in the log and in the body."""
    return "error_" + "".join(secrets.choice(_ALPHABET) for _ in range(10))


def event_id() -> str:
    """The id of an event; the same on every attempt to deliver it."""
    return "event_" + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def api_key() -> str:
    """A new API key. Only its hash is ever stored."""
    return "thr_" + "".join(secrets.choice(_ALPHABET) for _ in range(40))


def key_hash(key: str) -> bytes:
    """What is stored of an API key: SHA-256 suffices, because the key itself is random and long."""
    return hashlib.sha256(key.encode()).digest()


@functools.lru_cache(maxsize=16)
def _rounds(secret: bytes) -> tuple[Callable[[], "hashlib.blake2s"], ...]:
    """For each round the copying of a hash that has its key already: half the time of making one."""
    return tuple(hashlib.blake2s(key=secret, digest_size=8, salt=bytes([number])).copy for number in range(_ROUNDS))


def _mixed(keyed: Callable[[], "hashlib.blake2s"], half: int) -> int:
    state = keyed()
    state.update(half.to_bytes(8, "big"))
    return int.from_bytes(state.digest(), "big")


def retrieve_id(secret: bytes, batch_key: int, ord_: int) -> str:
    """The public id of the item at position `ord_` of the batch with the internal key `batch_key`.

    `secret` is 32 bytes, the same for the whole cluster. The id is `ret_` and 26 characters of a-z2-7.
    """
    bits = _hidden(secret, batch_key, ord_) << 2
    return "ret_" + "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def parse_job_id(secret: bytes, batch_key: int, ord_: int) -> str:
    """The same item's id in the parse API: `pjb-` and the same number as a UUID."""
    return f"pjb-{uuid.UUID(int=_hidden(secret, batch_key, ord_))}"


def parse_retrieve_id(secret: bytes, text: str) -> tuple[int, int] | None:
    """The (batch key, position) of a retrieve id, or None for anything that this cluster did not issue."""
    if len(text) != 30 or not text.startswith("ret_"):
        return None
    try:
        block = base64.b32decode(text[4:].upper() + "======")
    except ValueError:
        return None
    place = _shown(secret, int.from_bytes(block, "big"))
    # The same number in other letters is nothing of ours: an item has one id.
    return place if place and retrieve_id(secret, *place) == text else None


def read_parse_job_id(secret: bytes, text: str) -> tuple[int, int] | None:
    """The (batch key, position) of an id of the parse API, or None for anything that this cluster did not issue."""
    block = unprefixed("pjb", text)
    return _shown(secret, block.int) if block else None


def _hidden(secret: bytes, batch_key: int, ord_: int) -> int:
    left, right = batch_key, ord_ << 32  # the low 32 bits are zero, and checked on the way back
    for keyed in _rounds(secret):
        left, right = right, left ^ _mixed(keyed, right)
    return left << 64 | right


def _shown(secret: bytes, block: int) -> tuple[int, int] | None:
    """One forged block in 2^32 decodes, and then to no existing item. Beyond PostgreSQL's bigint and int: nothing of ours."""
    left, right = block >> 64, block & 0xFFFFFFFFFFFFFFFF
    for keyed in reversed(_rounds(secret)):
        left, right = right ^ _mixed(keyed, left), left
    batch_key, ord_, zero = left, right >> 32, right & 0xFFFFFFFF
    return (batch_key, ord_) if zero == 0 and batch_key < 2**63 and ord_ < 2**31 else None
