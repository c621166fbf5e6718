"""Identifiers that leave the system.

A batch's public id is random. An item has no stored id: its retrieve id is the pair (batch key, position)
put through a keyed permutation, so that it needs no column and no index, is safe in a path or a query, and
cannot be guessed or counted.
"""

import base64
import hashlib
import hmac
import secrets

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_ROUNDS = 4  # of Luby-Rackoff: a strong pseudorandom permutation of the 16-byte block
_ZERO = b"\0" * 4  # checked on the way back: one forged id in 2^32 would decode, and then to no existing item


def batch_id() -> str:
    """A new public batch id: `batch_` and 12 random characters of a-z0-9 (62 bits)."""
    return "batch_" + "".join(secrets.choice(_ALPHABET) for _ in range(12))


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


def _round(secret: bytes, number: int, half: bytes) -> bytes:
    return hashlib.blake2s(half, key=secret, digest_size=8, salt=bytes([number])).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def retrieve_id(secret: bytes, batch_key: int, ord_: int) -> str:
    """The public id of the item at position `ord_` of the batch with the internal key `batch_key`.

    `secret` is 32 bytes, the same for the whole cluster. The id is `ret_` and 26 characters of a-z2-7.
    """
    block = batch_key.to_bytes(8, "big") + ord_.to_bytes(4, "big") + _ZERO
    left, right = block[:8], block[8:]
    for number in range(_ROUNDS):
        left, right = right, _xor(left, _round(secret, number, right))
    return "ret_" + base64.b32encode(left + right).decode().rstrip("=").lower()


def parse_retrieve_id(secret: bytes, text: str) -> tuple[int, int] | None:
    """The (batch key, position) of a retrieve id, or None for anything that this cluster did not issue."""
    if len(text) != 30 or not text.startswith("ret_"):
        return None
    try:
        block = base64.b32decode(text[4:].upper() + "======")
    except ValueError:
        return None
    left, right = block[:8], block[8:]
    for number in reversed(range(_ROUNDS)):
        left, right = _xor(right, _round(secret, number, left)), left
    plain = left + right
    if not hmac.compare_digest(plain[12:], _ZERO):
        return None
    batch_key, ord_ = int.from_bytes(plain[:8], "big"), int.from_bytes(plain[8:12], "big")
    # Beyond PostgreSQL's bigint and int: nothing of ours.
    return (batch_key, ord_) if batch_key < 2**63 and ord_ < 2**31 else None
