"""multipart/form-data: what clients send arrives byte for byte, in whatever pieces, and what is not right is refused in words."""

import random
from collections.abc import AsyncIterator, Iterable
from email.message import EmailMessage

import pytest
from fastapi.exceptions import RequestValidationError

from thresher.api.multipart import AROUND, Form
from thresher.domain.problem import Problem

TYPE = "multipart/form-data; boundary=xyz"


def part(head: str | bytes, body: bytes = b"data") -> bytes:
    """One part with this Content-Disposition, behind `form-data; `, and what other lines follow it there."""
    raw = head.encode() if isinstance(head, str) else head
    return b"--xyz\r\nContent-Disposition: form-data; " + raw + b"\r\n\r\n" + body + b"\r\n"


FILE = part('name="file"; filename="a.txt"')
END = b"--xyz--\r\n"


async def read(body: bytes, sizes: Iterable[int] = (), content_type: str = TYPE) -> tuple[Form, bytes]:
    """What is made of a body that comes in chunks of these sizes, and the rest as one."""

    async def chunks() -> AsyncIterator[bytes]:
        start = 0
        for size in sizes:
            yield body[start : start + size]
            start += size
        yield body[start:]

    form = Form(content_type, "file")
    return form, b"".join([piece async for piece in form.file(chunks())])


async def test_a_file_and_its_fields_arrive_in_whatever_order_and_pieces() -> None:
    mail = EmailMessage()
    mail["Subject"] = "a mail with parts of its own"
    mail.set_content("text")
    mail.add_attachment(b"\r\n--xyz--no\r\n--xy\r\n--\r\n" * 50, maintype="application", subtype="octet-stream")
    data = mail.as_bytes() + bytes(range(256)) * 30 + b"\r\n--xyz-\r\n--xy"
    head = 'name="file"; filename="grüße; \\"1\\".eml"\r\nContent-Type: message/rfc822'
    body = (
        b"\r\n" + part('name="before"', "ä".encode()) + part(head, data) + part('name="after"', b"") + END + b"epilogue"
    )
    chance = random.Random(1)
    for _ in range(20):
        form, found = await read(body, [chance.choice([1, 2, 7, 100, 5000]) for _ in range(chance.randint(0, 300))])
        assert found == data
        assert form.filename == 'grüße; "1".eml'
        assert form.fields == {"before": "ä", "after": ""}


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('name="file"; filename="dir/a.txt"', "dir/a.txt"),
        ("name=file;filename=a.txt", "a.txt"),
        ("name=file; filename*=UTF-8'en'%e2%82%ac.txt", "€.txt"),
        ("name=file; filename*=iso-8859-1''%fc.txt", "ü.txt"),
        ("name=file; filename*=UTF-8''b.txt; filename=\"a.txt\"", "a.txt"),
        (f'name=file; filename="{"€" * 3000}"', "€" * 3000),
        ('name=file; filename="C:\\dir\\a.txt"', "C:\\dir\\a.txt"),
    ],
)
async def test_a_name_is_what_the_client_calls_the_file(head: str, name: str) -> None:
    form, _ = await read(part(head) + END)
    assert form.filename == name


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "ends before"),
        (FILE, "ends before"),
        (FILE[:-9], "ends before"),
        (b"--abc\r\n\r\n", "not multipart"),
        (b"no boundary", "not multipart"),
        (FILE + FILE + END, "two files"),
        (FILE + part('name="other"; filename="b"') + END, "'other' is a file; the file goes into the part 'file'"),
        (part('name="file"') + END, "File must have a filename."),
        (part('name="file"; filename=""') + END, "File must have a filename."),
        (part('filename="a"') + END, "has no name"),
        (b"--xyz\r\n\r\nx\r\n" + END, "has no name"),
        (part('name="a"', b"\xff") + END, "a: this is not UTF-8"),
        (part(b'name="file"; filename="\xff"') + END, "not UTF-8"),
        (part("name=file; filename*=UTF-8''%ff") + END, r"filename\*"),
        (part("name=file; filename*=zip''%ff") + END, r"filename\*"),
        (part("name=file; filename*=UTF-8''a%00b") + END, "control characters"),
        (part("name=file; filename*=UTF-8''a%0d%0aX: y") + END, "control characters"),
        (part('name=file; filename="a\0b"') + END, "control characters|not multipart"),
        (part('name=file; filename="a\nb"') + END, "control characters|not multipart"),
        (part('name=file; filename="../../etc/passwd"') + END, "leads elsewhere"),
        (part("name=file; filename=..\\x") + END, "leads elsewhere"),
        (part(f'name=file; filename="{"a" * 5000}"') + END, "more than 3000 characters"),
        (part("name=file; filename=a; x=" + ";" * 2**20) + END, "header size exceeded"),
        (part("name=file; filename=a\r\n" + "X: y\r\n" * 30) + END, "header count exceeded"),
        (part("name=file; filename=a\r\nContent-Transfer-Encoding: base64") + END, "base64 is not taken"),
        (part("name=a") * 10_000 + END, "more than 100 parts"),
        (part("name=a", bytes(AROUND)) + END, f"{AROUND} bytes"),
        (FILE + END + bytes(AROUND), f"{AROUND} bytes"),
    ],
)
async def test_what_is_not_right_is_refused_in_words(body: bytes, detail: str) -> None:
    for sizes in ([], [100, 1000], [3] * 50):
        with pytest.raises(Problem, match=detail) as refused:
            await read(body, sizes)
        assert refused.value.kind.status in (400, 413)


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/mixed; boundary=xyz"])
async def test_another_kind_of_body_is_not_taken(content_type: str) -> None:
    with pytest.raises(Problem, match="part named file"):
        Form(content_type, "file")


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=ü", f"; boundary={'x' * 300}"])
async def test_a_boundary_that_is_none_is_refused(boundary: str) -> None:
    with pytest.raises(Problem, match="oundary"):
        Form(f"multipart/form-data{boundary}", "file")


async def test_a_body_without_the_file_names_the_part_that_is_missing() -> None:
    with pytest.raises(RequestValidationError) as refused:
        await read(part('name="a"') + END)
    assert refused.value.errors() == [{"type": "missing", "loc": ("body", "file"), "msg": "Field required"}]
