"""Older Office files by hand: the compound file (MS-CFB), and in it a DOC, an XLS, a PPT or an MSG that is just enough."""

import struct
from collections.abc import Mapping, Sequence

_SECTOR, _END, _FREE, _FAT = 512, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD

Tree = Mapping[str, "bytes | Tree"]


def compound(tree: Tree) -> bytes:
    """A compound file with these streams and storages. All streams are kept in whole sectors: the cutoff is zero-filled."""
    entries: list[list[object]] = [["Root Entry", 5, _FREE, _END, 0]]  # name, type, child, first sector, size
    siblings: dict[int, int] = {}
    data, fat = bytearray(), []

    def put(content: bytes) -> int:
        content += bytes(max(4096 - len(content), 0))  # shorter ones would belong into the mini stream
        first, count = len(fat), -(-len(content) // _SECTOR)
        fat.extend([*range(first + 1, first + count), _END])
        data.extend(content + bytes(count * _SECTOR - len(content)))
        return first

    def add(parent: int, children: Tree) -> None:
        previous = None
        for name, content in sorted(children.items(), key=lambda pair: (len(pair[0]), pair[0].upper())):
            number = len(entries)
            if previous is None:
                entries[parent][2] = number
            else:
                siblings[previous] = number
            previous = number
            if isinstance(content, bytes):
                entries.append([name, 2, _FREE, put(content), max(len(content), 4096)])
            else:
                entries.append([name, 1, _FREE, 0, 0])
                add(number, content)

    add(0, tree)
    directory = b"".join(_entry(entry, siblings.get(n, _FREE)) for n, entry in enumerate(entries))
    first_of_directory = put(directory + bytes(-len(directory) % _SECTOR))
    tables = -(-(len(fat) + 8) // 127)
    first_of_fat = len(fat)
    fat.extend([_FAT] * tables)
    fat.extend([_FREE] * (tables * 128 - len(fat)))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, tables, first_of_directory, 0, 4096, _END, 0, _END, 0)
    places = [*range(first_of_fat, first_of_fat + tables)]
    header += struct.pack("<109I", *places, *[_FREE] * (109 - tables))
    return header + bytes(data) + struct.pack(f"<{len(fat)}I", *fat)


def _entry(entry: Sequence[object], right: int) -> bytes:
    name, kind, child, first, size = entry
    raw = str(name).encode("utf-16-le") + b"\0\0"
    return (
        raw.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(raw), kind, 1, _FREE, right, child)
        + bytes(36)
        + struct.pack("<IQ", first, size)
    )


def doc(words: str, *, encrypted: bool = False) -> bytes:
    """A Word 97 file with this text, a paragraph a line, in one piece of single bytes (MS-DOC)."""
    body = words.replace("\n", "\r").encode("cp1252") + b"\r"
    start = 0x400
    fib = bytearray(start)
    struct.pack_into("<HHHHHH", fib, 0, 0xA5EC, 0xC1, 0, 0x409, 0, 0x1200 & ~0x100 | (0x100 if encrypted else 0))
    struct.pack_into("<HH", fib, 32, 14, 0)
    struct.pack_into("<H", fib, 62, 22)
    struct.pack_into("<I", fib, 64, start + len(body))
    struct.pack_into("<I", fib, 76, len(body))
    struct.pack_into("<H", fib, 152, 93)
    pieces = (
        b"\2"
        + struct.pack("<I", 20)
        + struct.pack("<II", 0, len(body))
        + struct.pack("<HIH", 0, start * 2 | 1 << 30, 0)
    )
    struct.pack_into("<II", fib, 0x1A2, 0, len(pieces))
    return compound({"WordDocument": bytes(fib) + body, "1Table": pieces})


def xls(
    sheets: Mapping[str, Sequence[Sequence[object]]], *, hidden: Sequence[str] = (), encrypted: bool = False
) -> bytes:
    """An Excel 97 file with these sheets of texts and numbers (MS-XLS)."""
    bof = struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 6)
    names = [name.encode("latin-1") for name in sheets]
    head = (
        _record(0x809, bof) + (_record(0x2F, bytes(6)) if encrypted else b"") + _record(0x42, struct.pack("<H", 1200))
    )
    bodies = [_sheet(rows) for rows in sheets.values()]
    at = len(head) + sum(12 + len(name) for name in names) + 4
    for name, body in zip(names, bodies, strict=True):
        state = 1 if name.decode("latin-1") in hidden else 0
        head += _record(0x85, struct.pack("<IBBBB", at, state, 0, len(name), 0) + name)
        at += len(body)
    return compound({"Workbook": head + _record(0x0A, b"") + b"".join(bodies)})


def _sheet(rows: Sequence[Sequence[object]]) -> bytes:
    out = _record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 6))
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            if isinstance(value, int | float):
                out += _record(0x203, struct.pack("<HHHd", y, x, 0, value))
            elif value is not None:
                raw = str(value).encode("latin-1")
                out += _record(0x204, struct.pack("<HHHHB", y, x, 0, len(raw), 0) + raw)
    return out + _record(0x0A, b"")


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def ppt(*slides: Sequence[str]) -> bytes:
    """A PowerPoint 97 file: texts of each slide, the first as its title (MS-PPT)."""
    texts = b""
    for n, words in enumerate(slides):
        texts += _atom(1011, struct.pack("<IIIII", n + 3, 4, len(words), 256 + n, 0))
        for place, line in enumerate(words):
            texts += _atom(3999, struct.pack("<I", 0 if place == 0 else 1)) + _atom(4000, line.encode("utf-16-le"))
    document = _container(1000, _container(4080, texts))
    return compound({"PowerPoint Document": document, "Current User": bytes(32)})


def _atom(kind: int, body: bytes) -> bytes:
    return struct.pack("<HHI", 0, kind, len(body)) + body


def _container(kind: int, body: bytes) -> bytes:
    return struct.pack("<HHI", 0xF, kind, len(body)) + body


def msg(subject: str, body: str, sender: str = "ann@example.com", to: str = "bob@example.com") -> bytes:
    """An Outlook message with a subject and a plain body (MS-OXMSG)."""
    texts = {"0037": subject, "1000": body, "0C1A": "Ann", "0C1F": sender, "0E04": to}
    streams: dict[str, bytes | Tree] = {
        f"__substg1.0_{tag}001F": words.encode("utf-16-le") for tag, words in texts.items()
    }
    properties = bytes(32) + b"".join(
        struct.pack("<IIII", int(tag, 16) << 16 | 0x1F, 6, 2 * len(words) + 2, 0) for tag, words in texts.items()
    )
    return compound({**streams, "__properties_version1.0": properties, "__nameid_version1.0": {}})
