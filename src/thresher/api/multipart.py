"""multipart/form-data, read as it comes: texts are gathered, the one file is handed on in the pieces in which it arrives.

What is beside the file is bounded, so that a body of any length costs little memory. Does not know where the file goes.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterable
from urllib.parse import unquote

from fastapi.exceptions import RequestValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from thresher.domain.problem import Problem, ProblemCode

MAX_NAME = 3000  # characters of a file's name
MAX_PARTS = 100
AROUND = 2**20  # bytes of a body that are not the file: texts, heads of parts, what stands before and behind them
MAX_LINE = 16 * 1024  # bytes of one line of a part's head

# Each `; name=value` of a header, quoted or not. Nothing is tried twice, however long the header.
_PARAMETER = re.compile(r';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*+"|[^;"]*+)')
_ESCAPED = re.compile(r'\\(["\\])')
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CHARSETS = {"utf-8": "utf-8", "iso-8859-1": "latin-1"}
_CODINGS = ("", "binary", "7bit", "8bit")


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.VALIDATION_ERROR, detail)


class Form:
    """One body. `file` is read to its end; then `fields` has the texts by their names, of equal names the last, and `filename`
    what the client calls the file.
    """

    def __init__(self, content_type: str, part: str) -> None:
        """`part` is the name of the part that is the file. Raises Problem."""
        kind, _, _ = content_type.partition(";")
        boundary = _parameters(content_type).get("boundary", "")
        if kind.strip().lower() != "multipart/form-data":
            raise Problem(
                ProblemCode.UNSUPPORTED_MEDIA_TYPE, f"A file is sent as multipart/form-data, in a part named {part}."
            )
        if not boundary or not boundary.isascii():
            raise _refused("Content-Type: a boundary of ASCII characters is missing.")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self._part = part
        self._pieces: list[bytes] = []  # of the file, in the chunk at hand
        self._head: dict[str, bytes] = {}
        self._line, self._value = bytearray(), bytearray()
        self._field: str | None = None  # whose text is read now
        self._text = bytearray()
        self._parts = self._around = 0
        self._over = False
        try:
            self._parser = MultipartParser(boundary, self._callbacks(), max_header_size=MAX_LINE)  # type: ignore[arg-type]
        except FormParserError as error:
            raise _refused(f"Content-Type: {error}") from None

    async def file(self, body: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
        """The file, piece by piece, none of them empty. Raises Problem; RequestValidationError if there is no file in the body."""
        async for chunk in body:
            self._feed(chunk)
            for piece in self._pieces:
                yield piece
        if not self._over:
            raise _refused("The body ends before its last boundary.")
        if self.filename is None:
            raise RequestValidationError([{"type": "missing", "loc": ("body", self._part), "msg": "Field required"}])

    def _feed(self, chunk: bytes) -> None:
        self._pieces.clear()
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _refused(f"The body is not multipart/form-data: {error}.") from None
        self._around += len(chunk) - sum(map(len, self._pieces))
        if self._around > AROUND:
            raise Problem(ProblemCode.BODY_TOO_LARGE, f"All that is beside the file may have {AROUND} bytes.")

    def _callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._line.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_of_line,
            "on_headers_finished": self._end_of_head,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _refused(f"The body has more than {MAX_PARTS} parts.")
        self._head.clear()

    def _end_of_line(self) -> None:
        self._head[self._line.decode("latin-1").lower()] = bytes(self._value)
        self._line.clear()
        self._value.clear()

    def _end_of_head(self) -> None:
        coding = self._head.get("content-transfer-encoding", b"").strip().lower().decode("latin-1")
        if coding not in _CODINGS:
            raise _refused(f"A part in Content-Transfer-Encoding {coding[:40]} is not taken.")
        parameters = _parameters(_utf8(self._head.get("content-disposition", b""), "Content-Disposition"))
        name, filename = parameters.get("name"), _filename(parameters)
        if name is None:
            raise _refused("A part of the body has no name.")
        self._field = None if name == self._part else name
        self._text.clear()
        if self._field is None:
            self._begin_file(filename)
        elif filename is not None:
            raise _refused(f"The part {name[:100]!r} is a file; the file goes into the part {self._part!r}.")

    def _begin_file(self, filename: str | None) -> None:
        if not filename:
            raise _refused("File must have a filename.")
        if self.filename is not None:
            raise _refused(f"The body has two files; {self._part!r} is one.")
        self.filename = _checked(filename)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._pieces.append(data[start:end])
        else:
            self._text += data[start:end]

    def _end(self) -> None:
        if self._field is not None:
            self.fields[self._field] = _utf8(bytes(self._text), self._field[:100])

    def _finish(self) -> None:
        self._over = True


def _utf8(text: bytes, what: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise _refused(f"{what}: this is not UTF-8.") from None


def _parameters(header: str) -> dict[str, str]:
    found = {}
    for name, value in _PARAMETER.findall(header):
        quoted = value.startswith('"')
        found[name.lower()] = _ESCAPED.sub(r"\1", value[1:-1]) if quoted else value.strip()
    return found


def _filename(parameters: dict[str, str]) -> str | None:
    """`filename*` (RFC 5987) is not of this format (RFC 7578), and is sent by some; where both are, the plain one counts."""
    plain, extended = parameters.get("filename"), parameters.get("filename*")
    if plain is not None or extended is None:
        return plain
    charset, _, rest = extended.partition("'")
    try:
        return unquote(rest.partition("'")[2], _CHARSETS.get(charset.lower(), "ascii"), errors="strict")
    except UnicodeDecodeError:
        raise _refused("filename*: it is written as UTF-8''..., percent-encoded.") from None


def _checked(filename: str) -> str:
    """A name is only ever a name here; but whoever stores files under their names must be able to trust it."""
    if len(filename) > MAX_NAME:
        raise _refused(f"The file's name has more than {MAX_NAME} characters.")
    if _NOT_IN_NAMES.search(filename):
        raise _refused("The file's name has control characters.")
    if {".", ".."} & {*re.split(r"[/\\]", filename)}:
        raise _refused("The file's name is a path that leads elsewhere.")
    return filename
