"""PDF files by hand: text at places, lines, a picture, an outline of /Info; encrypted, broken or scanned if asked."""

import hashlib
import struct
import zlib
from collections.abc import Iterable

A4 = (595, 842)
_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")  # ISO 32000-1, 7.6.3.3

Line = tuple[float, float, float, str]  # x, y from below, size, text


def text(lines: Iterable[Line]) -> bytes:
    """The content of a page with these lines of text."""
    return b"\n".join(
        b"BT /F%d %g Tf %g %g Td (%b) Tj ET" % (2 if size > 13 else 1, size, x, y, _escaped(words))
        for x, y, size, words in lines
    )


def paragraphs(*words: str) -> bytes:
    """The content of a page: the first as a heading, the others as running text."""
    heading: list[Line] = [(72, 770, 20, words[0])]
    body: list[Line] = [(72, 730 - 14 * n, 11, line) for n, line in enumerate(words[1:])]
    return text([*heading, *body])


def table(rows: list[list[str]], top: float = 600) -> bytes:
    """The content of a page: a ruled table with a cell of 120 by 20 points for every text."""
    wide, low = 72 + 120 * len(rows[0]), top - 20 * len(rows)
    rules = [b"%g %g m %g %g l S" % (72, top - 20 * n, wide, top - 20 * n) for n in range(len(rows) + 1)]
    rules += [b"%g %g m %g %g l S" % (72 + 120 * n, top, 72 + 120 * n, low) for n in range(len(rows[0]) + 1)]
    cells = [(76 + 120 * x, top - 15 - 20 * y, 11.0, cell) for y, row in enumerate(rows) for x, cell in enumerate(row)]
    return b"\n".join([*rules, text(cells)])


def scan() -> bytes:
    """The content of a page that is one picture and nothing else."""
    return b"q 595 0 0 842 0 0 cm /Im Do Q"


def scanned(png: bytes) -> bytes:
    """A PDF of one page that is nothing but this picture (RGBA), its lines coded as they are in PNG (ISO 32000-1, 7.4.4.4)."""
    wide, high = struct.unpack_from(">II", png, 16)
    at, lines = 8, b""
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        lines += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += length + 12
    # Turned round, red, green, blue and opaque are what cyan, magenta, yellow and black are.
    picture = (
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /ColorSpace /DeviceCMYK "
        b"/Decode [1 0 1 0 1 0 1 0] /Filter /FlateDecode /DecodeParms << /Predictor 15 /Colors 4 /Columns %d >> "
        b"/Length %d >>\nstream\n%b\nendstream" % (wide, high, wide, len(lines), lines)
    )
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /XObject << /Im 5 0 R >> >> >>"
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: pages, 3: page, 4: _stream(scan(), b""), 5: picture}
    return _written(objects, b"/Root 1 0 R")


def pdf(
    *pages: bytes,
    size: tuple[int, int] = A4,
    info: dict[str, str] | None = None,
    password: str | None = None,
    link: tuple[tuple[int, int, int, int], str] | None = None,
) -> bytes:
    """A PDF of pages with these contents, in one piece; `link` is a rectangle on the first page and where it leads."""
    objects: dict[int, bytes] = {}
    kids = [10 + 2 * n for n in range(len(pages))]
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[2] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b" ".join(b"%d 0 R" % kid for kid in kids), len(kids))
    objects[3] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    objects[4] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>"
    objects[5] = _stream(
        bytes(64), b"/Type /XObject /Subtype /Image /Width 8 /Height 8 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    )
    objects[6] = b"<< %b >>" % b" ".join(
        b"/%b %b" % (name.encode(), b"<feff%b>" % words.encode("utf-16-be").hex().encode())
        for name, words in (info or {}).items()
    )
    key = _key(password) if password else None
    for kid, content in zip(kids, pages, strict=True):
        annotation = b""
        if link and kid == kids[0]:
            annotation = (
                b"/Annots [<< /Type /Annot /Subtype /Link /Rect [%d %d %d %d] /A << /S /URI /URI (%b) >> >>]"
                % (*link[0], link[1].encode())
            )
        objects[kid] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R %b"
            b"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> /XObject << /Im 5 0 R >> >> >>"
        ) % (*size, kid + 1, annotation)
        if key:
            content = _rc4(hashlib.md5(key + (kid + 1).to_bytes(3, "little") + b"\0\0").digest()[:10], content)
        objects[kid + 1] = _stream(content, b"", packed=not key)
    trailer = b"/Root 1 0 R /Info 6 0 R"
    if password:
        objects[7] = _encryption(password)
        trailer += b" /Encrypt 7 0 R /ID [<00> <00>]"
    return _written(objects, trailer)


def _written(objects: dict[int, bytes], trailer: bytes) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start, last = len(out), max(objects)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (last + 1)
    for number in range(1, last + 1):
        out += b"%010d 00000 n \n" % places[number] if number in places else b"0000000000 65535 f \n"
    return bytes(out + b"trailer\n<< /Size %d %b >>\nstartxref\n%d\n%%%%EOF\n" % (last + 1, trailer, start))


def _stream(data: bytes, entries: bytes, *, packed: bool = True) -> bytes:
    stored = zlib.compress(data) if packed else data
    coding = b" /Filter /FlateDecode" if packed else b""
    return b"<< %b /Length %d%b >>\nstream\n%b\nendstream" % (entries, len(stored), coding, stored)


def _escaped(words: str) -> bytes:
    return words.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _encryption(password: str) -> bytes:
    """The standard security handler, revision 2: 40 bits of RC4 (ISO 32000-1, 7.6.3)."""
    user = _rc4(_key(password), _PADDING)
    return b"<< /Filter /Standard /V 1 /R 2 /O <%b> /U <%b> /P -4 >>" % (
        _owner(password).hex().encode(),
        user.hex().encode(),
    )


def _owner(password: str) -> bytes:
    return _rc4(hashlib.md5(_padded(password)).digest()[:5], _padded(password))


def _key(password: str) -> bytes:
    return hashlib.md5(_padded(password) + _owner(password) + (-4 & 0xFFFFFFFF).to_bytes(4, "little") + b"\0").digest()[
        :5
    ]


def _padded(password: str) -> bytes:
    return (password.encode() + _PADDING)[:32]


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 255
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) & 255
        j = (j + state[i]) & 255
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) & 255])
    return bytes(out)
