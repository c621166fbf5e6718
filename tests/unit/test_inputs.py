"""Input of the command line: three forms of files, read as people write them, refused by file and line."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from thresher.cli.client.inputs import MAX_LINE, Entry, InputFormat, entries
from thresher.cli.client.slices import MAX_FILES, MAX_LINES, slices
from thresher.cli.client.sources import InputError, Kind, Source, find, is_url


def look(*words: Path | str, as_files: bool | None = None, most: int = 1000) -> list[Source]:
    return find([*map(str, words)], as_files=as_files, most_bytes=most, tell=lambda sentence: None).sources


def every(*words: Path | str, input_format: InputFormat | None = None) -> list[Entry]:
    """The entries of URLs and lists, whether there are such lists or not."""
    kinds = {True: Kind.URL, False: Kind.LIST}
    return [*entries([Source(str(word), kinds[is_url(str(word))]) for word in words], input_format)]


def read(*words: Path | str, input_format: InputFormat | None = None) -> list[dict[str, Any]]:
    return [json.loads(entry.item) for entry in every(*words, input_format=input_format)]


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
    look(path)  # would wait for a writer, and leave it without a reader
    writer = threading.Thread(target=lambda: path.write_text("http://a.example/\n"), daemon=True)
    writer.start()
    assert read(path) == [A]


def test_a_file_that_is_gone_since_it_was_looked_at_is_an_error_of_the_input(file: Any) -> None:
    path = file("urls.txt", "http://a.example/\n")
    look(path)
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
        (["-", "-"], "only once"),
        ([], "no input"),
    ):
        with pytest.raises(InputError, match=complaint):
            look(*sources)
    look(file("a.txt", ""), "-", "http://a.example/")


def test_slices_are_bounded_and_know_the_places_of_their_items(file: Any) -> None:
    path = file("urls.txt", "# first\n" + "".join(f"http://a.example/{n}\n" for n in range(2 * MAX_LINES + 1)))
    parts = list(slices(iter(every(path))))
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
    (part,) = slices(iter(every(path)), skip=1)
    assert (part.offset, part.body) == (1, b'{"url":"http://b.example/"}\n')
    assert list(slices(iter(every(path)), skip=2)) == []
    with pytest.raises(InputError, match="another one"):
        list(slices(iter(every(path)), skip=3))


def kinds(found: list[Source], folder: Path) -> list[tuple[str, str]]:
    return [(source.name.removeprefix(f"{folder}/"), source.kind.value) for source in found]


def test_a_name_says_whether_it_is_a_document_or_a_list_and_flags_say_it_for_all(file: Any, tmp_path: Path) -> None:
    names = [
        "a.pdf",
        "B.DOCX",
        "c.md",
        "d.html",
        "urls.txt",
        "urls.csv",
        "urls.json",
        "urls.jsonl",
        "urls",
        "urls.list",
    ]
    paths = [file(name, "x") for name in names]
    documents = [(name, "file") for name in names[:4]]
    assert kinds(look(*paths), tmp_path) == documents + [(name, "list") for name in names[4:]]
    assert kinds(look(*paths, as_files=True), tmp_path) == [(name, "file") for name in names]
    assert kinds(look(*paths, as_files=False), tmp_path) == [(name, "list") for name in names]
    beside = look("-", "https://a.example/b.pdf", paths[0], as_files=True)
    assert [source.kind for source in beside] == [Kind.STDIN, Kind.URL, Kind.FILE]


def test_a_folder_is_the_documents_in_it_and_below_in_order_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    for name in ("b.pdf", "a.txt", "x.png", ".hidden.pdf", "sub/c.csv", "sub/deep/d.DOCX", ".git/e.pdf", "a/f.eml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    told: list[str] = []
    found = find([f"{tmp_path}/"], as_files=None, most_bytes=1, tell=told.append).sources
    expected = ["a.txt", "b.pdf", "a/f.eml", "sub/c.csv", "sub/deep/d.DOCX"]
    assert kinds(found, tmp_path) == [(name, "file") for name in expected]
    assert [one.partition(" ")[0] for one in told] == ["1"]
    assert ("x.png", "file") in kinds(look(tmp_path, as_files=True), tmp_path)


def test_files_that_cannot_be_sent_are_named_and_left_out_unless_nothing_else_is_there(
    file: Any, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "x.png").write_text("x")
    (tmp_path / "nothing").mkdir()
    os.mkfifo(tmp_path / "pipe.pdf")
    (tmp_path / "dangling.pdf").symlink_to("nowhere")
    strange = os.fsdecode(bytes(tmp_path) + b"/\xff.pdf")
    Path(strange).write_text("x")
    file("empty.pdf", "")
    file("large.pdf", "x" * 1001)
    odd = ["dangling.pdf", "empty.pdf", "large.pdf", "pipe.pdf"]
    lines = [
        "dangling.pdf cannot be read: No such file or directory",
        "empty.pdf is empty",
        "large.pdf has 1,001 bytes; the limit is 1,000 (THRESHER_MAX_FILE_BYTES)",
        "pipe.pdf cannot be read: is no regular file",
        "'\\udcff.pdf': the name is not UTF-8",
    ]

    def said(text: object) -> list[str]:
        return str(text).replace(f"{tmp_path}/", "").splitlines()

    with pytest.raises(InputError) as raised:
        look(tmp_path)
    assert (said(raised.value), raised.value.code) == (lines, 2), "nothing else is there"
    file("good.pdf", "x")
    told: list[str] = []
    found = find([str(tmp_path)], as_files=None, most_bytes=1000, tell=told.append)
    assert kinds(found.sources, tmp_path) == [("good.pdf", "file")]
    assert said("\n".join(found.left_out)) == lines
    assert said(told[0]) == ["These files are left out:", *lines]
    given = [tmp_path / name for name in ("good.pdf", *odd[1:])]
    assert kinds(look(*given), tmp_path) == [("good.pdf", "file")]

    absent = [tmp_path / name for name in ("none.pdf", "pictures", "nothing")]
    with pytest.raises(InputError) as raised:
        look(*given, *absent)
    assert said(raised.value) == [
        "none.pdf cannot be read: No such file or directory",
        "pictures has nothing in it but files that are none of those that are converted, by their names",
        "nothing has nothing in it",
        *lines[1:4],
    ]
    with pytest.raises(InputError, match="and 2 more"):
        look(*[tmp_path / f"{n}.pdf" for n in range(12)])
    with pytest.raises(InputError, match="is a directory"):
        look(tmp_path, as_files=False)


def test_a_list_names_files_beside_it_and_results_are_input_again(file: Any, tmp_path: Path) -> None:
    table = file("all.csv", "custom_id;file;url\n;a.pdf;\nx;sub/b.pdf;\n;;http://a.example/\n")
    lines = file("all.jsonl", '{"file": "/c.pdf", "parser": "none"}\n{"file": null, "url": "http://b.example/"}\n')
    result = {"custom_id": "p", "url": "file:0f1e", "file_id": "0f1e", "name": "p.pdf", "status": "failed"}
    again = file("out.jsonl", json.dumps(result) + "\n")
    found = every(table, lines, again)
    assert [(json.loads(entry.item), entry.file) for entry in found] == [
        ({"custom_id": "a.pdf"}, tmp_path / "a.pdf"),
        ({"custom_id": "x"}, tmp_path / "sub" / "b.pdf"),
        (A, None),
        ({"custom_id": "/c.pdf", "parser": "none"}, Path("/c.pdf")),
        (B, None),
        ({"custom_id": "p", "file_id": "0f1e"}, None),
    ]
    assert json.loads(found[0].having(file_id="1").item) == {"custom_id": "a.pdf", "file_id": "1"}
    for name, content, complaint in (
        ("a.csv", "url,file\nhttp://a.example/,b.pdf\n", "line 2: a file beside a url"),
        ("a.csv", 'url,file\n,\n\nx,\n,y\n,,\n"","",z\n', "line 7: no url and no file in this row"),
        ("a.jsonl", '{"file": 7}\n', "line 1: file must be a path"),
        ("a.jsonl", '{"file": "a", "file_id": "b"}\n', "line 1: a file beside"),
        ("a.txt", b"\xff\xff\n", "save the file as UTF-8; --files takes it as a document"),
    ):
        with pytest.raises(InputError, match=complaint):
            every(file(name, content))


def test_what_goes_on_is_the_input_that_was_begun_with() -> None:
    given = [Source(name, Kind.FILE, 1) for name in ("a.pdf", "b.pdf", "c.pdf")]
    (part,) = slices(entries(given, None), 2, "b.pdf")
    assert [entry.name for entry in part.entries] == ["c.pdf"]
    with pytest.raises(InputError, match=r"item 2 of the batch is a2\.pdf, and of this input b\.pdf"):
        list(slices(entries(given, None), 2, "a2.pdf"))


def test_a_slice_has_so_many_files_that_little_is_sent_again(tmp_path: Path) -> None:
    sources = [Source(f"{n}.pdf", Kind.FILE, 1) for n in range(MAX_FILES + 1)]
    parts = list(slices(entries(sources, None)))
    assert [len(part.entries) for part in parts] == [MAX_FILES, 1]
    assert (parts[1].entries[0].place, parts[1].entries[0].line) == (f"{MAX_FILES}.pdf", 0)
