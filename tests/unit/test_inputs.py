"""Input of the command line: three forms of files, read as people write them, refused by file and line."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from thresher.cli.client.inputs import MAX_LINE, InputError, InputFormat, check, entries
from thresher.cli.client.slices import MAX_LINES, slices


def read(*sources: Path | str, input_format: InputFormat | None = None) -> list[dict[str, Any]]:
    return [json.loads(entry.item) for entry in entries([str(source) for source in sources], input_format)]


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


A, B = {"url": "http://a.example/"}, {"url": "http://b.example/"}


def test_a_text_file_has_a_url_a_line_and_may_have_comments_and_gaps(file: Any) -> None:
    assert read(file("urls.txt", "# mine\nhttp://a.example/\n\n   \n  http://b.example/  \n")) == [A, B]


@pytest.mark.parametrize("name", ["urls.txt", "urls.csv", "urls.jsonl", "urls", "urls.list"])
def test_a_byte_order_mark_and_line_ends_of_windows_are_no_part_of_the_input(file: Any, name: str) -> None:
    text = {"csv": "url\r\nhttp://a.example/\r\n", "jsonl": '{"url": "http://a.example/"}\r\n'}
    content = text.get(name.rpartition(".")[2], "http://a.example/\r\n")
    assert read(file(name, b"\xef\xbb\xbf" + content.encode())) == [A]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_file_names_its_columns_in_any_order_and_case(file: Any, delimiter: str) -> None:
    rows = [
        ["Custom_ID", "note", "URL"],
        ["x1", "any", "http://a.example/"],
        ["", "", "http://b.example/"],
        ["", "", ""],
    ]
    path = file("urls.csv", "".join(delimiter.join(row) + "\n" for row in rows))
    assert read(path) == [{"url": "http://a.example/", "custom_id": "x1"}, B]


def test_a_csv_cell_may_hold_delimiters_quotes_and_line_ends(file: Any) -> None:
    path = file("urls.csv", 'custom_id,url\n"one, ""two""\nthree","http://a.example/?q=1,2"\n')
    assert read(path) == [{"url": "http://a.example/?q=1,2", "custom_id": 'one, "two"\nthree'}]


@pytest.mark.parametrize("names", ["url\n", ""])
def test_a_url_that_a_comma_would_cut_is_refused(file: Any, names: str) -> None:
    path = file("urls.csv", f"{names}http://a.example/\nhttp://b.example/?q=1,2\n")
    with pytest.raises(InputError, match=rf"urls\.csv line {2 + len(names.split())}: more cells than columns"):
        read(path)


def test_cells_without_a_name_may_be_empty(file: Any) -> None:
    assert read(file("urls.csv", "url\nhttp://a.example/,\n")) == [A]


def test_a_named_pipe_is_left_to_the_one_who_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    check([str(path)])  # would wait for a writer, and leave it without a reader
    writer = threading.Thread(target=lambda: path.write_text("http://a.example/\n"), daemon=True)
    writer.start()
    assert read(path) == [A]


def test_a_file_that_is_gone_since_it_was_looked_at_is_an_error_of_the_input(file: Any) -> None:
    path = file("urls.txt", "http://a.example/\n")
    check([str(path)])
    path.unlink()
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(path)


def test_a_csv_file_of_one_column_needs_no_names(file: Any) -> None:
    assert read(file("urls.csv", 'http://a.example/\n"http://b.example/"\n')) == [A, B]


def test_an_object_a_line_carries_the_fields_of_an_item_and_no_other(file: Any) -> None:
    line = {**A, "custom_id": "x1", "metadata": {"k": "v"}, "markdown": "# long", "status": "failed"}
    path = file("urls.jsonl", json.dumps(line) + "\n\n")
    assert read(path) == [{**A, "custom_id": "x1", "metadata": {"k": "v"}}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('\n{"url": "http://a.example/"}\n', [A]),
        ("custom_id,url\nx,http://a.example/\n", [{**A, "custom_id": "x"}]),
        ("url\nhttp://a.example/\n", [A]),
        ("# list\nhttp://a.example/?x=1,2\n", [{"url": "http://a.example/?x=1,2"}]),
        ("", []),
        ("\n\n", []),
    ],
)
def test_a_file_without_a_known_name_is_known_by_its_first_line(file: Any, content: str, expected: Any) -> None:
    assert read(file("anything", content)) == expected


def test_the_format_can_be_said_against_the_name(file: Any) -> None:
    assert read(file("urls.txt", "url\nhttp://a.example/\n"), input_format=InputFormat.CSV) == [A]


def test_several_sources_follow_each_other_urls_among_them(file: Any) -> None:
    first, second = file("a.txt", "http://a.example/\n"), file("b.jsonl", '{"url": "http://b.example/"}')
    assert read(first, "HTTP://c.example/x", second) == [A, {"url": "HTTP://c.example/x"}, B]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("urls.jsonl", '{"url": "http://a.example/"}\n{"url": \n', "urls.jsonl line 2: not valid JSON"),
        ("urls.jsonl", '["http://a.example/"]\n', "urls.jsonl line 1: not a JSON object"),
        ("urls.json", '[\n{"url": "http://a.example/"}]', "jq -c '.[]'"),
        ("urls.jsonl", '\n"http://a.example/"\n', "urls.jsonl line 2: not a JSON object"),
        ("urls.csv", "a,b\nx,y\n", "urls.csv line 1: no column is named url"),
        ("urls.csv", "custom_id,url\nx,http://a.example/\n\ny,\n", "urls.csv line 4: no url"),
        ("urls.csv", 'url,x\nhttp://a.example/,"a\nb"\nz\n,1\n', "urls.csv line 5: no url"),
        ("urls.csv", 'url\n"http://a.example/\n', "urls.csv line 2: not valid CSV"),
        ("urls.txt", b"http://a.example/\nhttp://\xe4.example/\n", "urls.txt line 2: byte 8 is not UTF-8"),
        ("urls.txt", "http://a.example/\n".encode("utf-16"), "urls.txt line 1: this is UTF-16"),
        ("urls.txt", b"\n" + b"x" * (MAX_LINE + 1), "urls.txt line 2: longer than"),
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_line(file: Any, name: str, content: Any, complaint: str) -> None:
    with pytest.raises(InputError) as raised:
        read(file(name, content))
    assert complaint in str(raised.value)
    assert raised.value.code == 2


def test_sources_that_cannot_be_read_are_found_before_anything_is_begun(file: Any, tmp_path: Path) -> None:
    for sources, complaint in (
        ([str(tmp_path / "none.txt")], "No such file"),
        ([str(tmp_path)], "directory"),
        (["-", "-"], "only once"),
        ([], "no input"),
    ):
        with pytest.raises(InputError, match=complaint):
            check(sources)
    check([str(file("a.txt", "")), "-", "http://a.example/"])


def test_slices_are_bounded_and_know_the_places_of_their_items(file: Any) -> None:
    path = file("urls.txt", "# first\n" + "".join(f"http://a.example/{n}\n" for n in range(2 * MAX_LINES + 1)))
    parts = list(slices(entries([str(path)], None)))
    assert [(part.offset, part.end) for part in parts] == [
        (0, MAX_LINES),
        (MAX_LINES, 2 * MAX_LINES),
        (2 * MAX_LINES, 2 * MAX_LINES + 1),
    ]
    assert parts[1].entries[0].place == f"{path} line {MAX_LINES + 2}"
    assert parts[2].body == b'{"url":"http://a.example/%d"}\n' % (2 * MAX_LINES)
    assert parts[0].beyond(MAX_LINES - 1).body == b'{"url":"http://a.example/%d"}\n' % (MAX_LINES - 1)


def test_slices_go_on_behind_what_was_taken_already(file: Any) -> None:
    path = str(file("urls.txt", "http://a.example/\nhttp://b.example/\n"))
    (part,) = slices(entries([path], None), skip=1)
    assert (part.offset, part.body) == (1, b'{"url":"http://b.example/"}\n')
    assert list(slices(entries([path], None), skip=2)) == []
    with pytest.raises(InputError, match="another one"):
        list(slices(entries([path], None), skip=3))
