"""Compound files (MS-CFB), the container of older Office: what is in one, told by the names in its directory."""

import struct

from thresher.domain.failure import FailureCode, ItemFailed

_NAMES = (
    ("EncryptedPackage", "encrypted"),  # a newer document, encrypted as a whole
    ("PowerPoint Document", "ppt"),
    ("WordDocument", "doc"),
    ("__properties_version1.0", "msg"),
    ("Workbook", "xls"),
    ("Book", "xls"),
)
_WORD = b"\xec\xa5"  # the first bytes of the stream WordDocument (MS-DOC, 2.5.2)
_WORD_ENCRYPTED = 0x100
_FILEPASS = b"\x2f\0"  # a record of workbooks (MS-XLS, 2.4.117)
_BOF = b"\x09\x08"
_SECTOR = 512


def kind(data: bytes) -> str | None:
    """doc, xls, ppt, msg, encrypted, or None for what is none of these."""
    return next((found for name, found in _NAMES if (name + "\0").encode("utf-16-le") in data), None)


def refuse_encrypted(data: bytes, form: str) -> None:
    """Raise ItemFailed(document_encrypted) for a DOC or XLS with a password, whose text the library would read as it is."""
    if form == "encrypted":
        raise ItemFailed(FailureCode.DOCUMENT_ENCRYPTED)
    for start in range(_SECTOR, len(data) - 12, _SECTOR):  # streams begin at sectors
        head = data[start : start + 2]
        if form == "doc" and head == _WORD and struct.unpack_from("<H", data, start + 10)[0] & _WORD_ENCRYPTED:
            raise ItemFailed(FailureCode.DOCUMENT_ENCRYPTED)
        if form == "xls" and head == _BOF:
            after = start + 4 + struct.unpack_from("<H", data, start + 2)[0]
            if data[after : after + 2] == _FILEPASS:
                raise ItemFailed(FailureCode.DOCUMENT_ENCRYPTED)
            return
