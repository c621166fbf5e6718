"""What each format of documents gives: pages with markdown, text and items, and what the document says of itself."""

import dataclasses

import pytest
from tests.files import ole, pdf, zipped

from thresher.convert import markup, table
from thresher.convert.convert import convert
from thresher.convert.document import Document, DocumentPage, How, Source
from thresher.convert.documents import items
from thresher.convert.documents.formats import FORMATS
from thresher.convert.documents.made import Bounds
from thresher.convert.documents.rendered import rendered
from thresher.convert.frame import Frame, encode
from thresher.domain.choices import Choices
from thresher.domain.documents import EXTENSIONS, DocumentOptions
from thresher.domain.failure import FailureCode, ItemFailed
from thresher.domain.parse import ParseJob
from thresher.pipeline.reading import how

REPORT = zipped.package(
    zipped.docx(
        zipped.heading("Harvest")
        + zipped.paragraph("Wheat &amp; &lt;rye&gt; &#233; *oats*")
        + zipped.grid([["kind", "t|ha"], ["wheat", "7.5"]])
        + zipped.BREAK
        + "<w:p><w:r><w:rPr><w:b/></w:rPr><w:lastRenderedPageBreak/><w:t>bold </w:t></w:r><w:r><w:rPr><w:b/></w:rPr>"
        "<w:lastRenderedPageBreak/><w:t>still</w:t></w:r></w:p>"
    )
)
BOOK = {
    "Fields": [["field", "ha"], ["north|west", 2.5]],
    "Secret": [["nobody sees this"]],
    "Empty": [],
}
MAIL = (
    b"From: Ann <ann@example.com>\r\nTo: bob@example.com\r\nSubject: =?utf-8?q?H=C3=A9llo?=\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<script>x</script><p>Gr\xfc\xdfe <b>all</b>\r\n"
    b'--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="list.pdf"\r\n\r\nx\r\n--b--\r\n'
)


def made(data: bytes, name: str = "", options: DocumentOptions | None = None, bounds: Bounds | None = None) -> Document:
    """The document, its pages as they are read."""
    source = Source("https://x.example/", data, name=name or None)
    document = convert(source, max_decoded_bytes=2**26, how=How(document=options), documents=bounds or Bounds())
    read = Frame.parse(encode(source, document, {})).pages
    return dataclasses.replace(document, pages=[DocumentPage(**page | {"items": items.of_page(page)}) for page in read])


def kinds(page: DocumentPage) -> list[str]:
    return [item["type"] for item in page.items]


def test_a_pdf_gives_pages_with_sizes_headings_tables_links_and_boxes() -> None:
    first = pdf.paragraphs("Harvest", "Wheat and rye.", "See the list.")
    document = made(
        pdf.pdf(
            first,
            pdf.table([["kind", "t|ha"], ["wheat", "7.5"]]),
            pdf.scan(),
            size=(600, 800),
            info={"Title": "Ernte Größe", "Author": "Ann", "CreationDate": "D:20240102030405+01'00'"},
            link=((72, 712, 300, 727), "https://example.com/list"),
        )
    )
    one, two, three = document.pages
    assert (one.number, one.width, one.height) == (1, 600, 800)
    assert one.markdown.startswith("# Harvest\n\n")
    assert "](https://example.com/list)" in one.markdown
    assert kinds(one) == ["heading", "text"]
    assert one.items[0] | {"bbox": None} == {
        "type": "heading",
        "md": "# Harvest",
        "level": 1,
        "value": "Harvest",
        "bbox": None,
    }
    box = one.items[0]["bbox"][0]
    assert 70 < box["x"] < 75
    assert 0 < box["y"] < 40
    assert box["w"] > 50
    assert box["h"] > 10
    assert one.text.startswith("Harvest\n\nWheat and rye.")
    (table,) = two.items
    assert table["rows"] == [["kind", "t|ha"], ["wheat", "7.5"]]
    assert table["csv"] == "kind,t|ha\nwheat,7.5\n"
    assert "<td>7.5</td>" in table["html"]
    assert table["md"].startswith("| kind | t\\|ha |")
    assert (three.markdown, three.text, three.items, three.error) == ("", "", [], None)
    assert document.markdown == f"{one.markdown}\n\n---\n\n{two.markdown}\n\n---\n\n"
    assert document.links == ["https://example.com/list"]
    assert (document.kind, document.title) == ("document", "Ernte Größe")
    assert document.metadata == {
        "title": "Ernte Größe", "author": "Ann", "created": "2024-01-02T03:04:05+01:00", "format": "pdf", "pages": 3,
    }  # fmt: skip


def test_a_docx_is_cut_where_its_pages_end_and_keeps_its_tables_and_marks() -> None:
    document = made(REPORT)
    one, two, three = document.pages
    assert (
        one.markdown == "# Harvest\n\nWheat & \\<rye> é \\*oats\\*\n\n| kind | t\\|ha |\n| --- | --- |\n| wheat | 7.5 |"
    )
    assert kinds(one) == ["heading", "text", "table"]
    assert one.text == "Harvest\n\nWheat & <rye> é *oats*\n\nkind\tt|ha\nwheat\t7.5"
    assert (two.text, three.text) == ("bold", "still")
    assert two.markdown.strip().startswith("**")
    assert three.markdown.strip().endswith("**")
    assert (document.metadata["title"], document.metadata["author"]) == ("A report", "Ann")
    macros = zipped.docx(zipped.paragraph("with macros"), more={"word/vbaProject.bin": b"\xd0\xcf\x11\xe0 Shell()"})
    assert made(zipped.package(macros)).text == "with macros"


def test_slides_are_pages_with_the_size_of_the_show_and_what_the_speaker_noted() -> None:
    document = made(zipped.package(zipped.pptx(("Plan", "sow", "reap"), ("End",), notes=["slowly"])))
    one, two = document.pages
    assert (one.text, two.text) == ("Plan\n\nsow\n\nreap", "End")
    assert kinds(one) == ["heading", "text", "text"]
    assert (one.width, one.height, one.notes, two.notes) == (720, 540, "slowly", None)


@pytest.mark.parametrize(
    "data",
    [
        zipped.package(zipped.xlsx(BOOK, hidden=["Secret"])),
        ole.xls(BOOK, hidden=["Secret"]),
        zipped.package(zipped.ods_of(BOOK, hidden=["Secret"])),
    ],
)
def test_sheets_are_pages_and_hidden_ones_are_shown_to_who_asks(data: bytes) -> None:
    fields, empty = made(data).pages
    assert (fields.name, empty.name, empty.markdown) == ("Fields", "Empty", "")
    assert fields.markdown == "## Fields\n\n| field | ha |\n| --- | --- |\n| north\\|west | 2.5 |"
    assert fields.text == "field\tha\nnorth|west\t2.5"
    assert fields.items[1]["rows"] == [["field", "ha"], ["north|west", "2.5"]]
    shown = made(data, options=DocumentOptions(hidden_sheets=True, tables_as_html=True)).pages
    assert [page.name for page in shown] == ["Fields", "Secret", "Empty"]
    assert shown[0].markdown.startswith("## Fields\n\n<table>\n<tr><th>field</th>")


@pytest.mark.parametrize(
    ("name", "data", "pages", "title"),
    [
        ("a.doc", ole.doc("Wheat.\nRye."), ["Wheat.\n\nRye."], None),
        ("a.ppt", ole.ppt(("Wheat", "and"), ("Rye",)), ["## Wheat\n\nand\n\nRye"], None),
        ("a.rtf", rb"{\rtf1{\info{\title T}}Wheat {\b bold}\page Rye\par}", ["Wheat **bold**", "Rye"], "T"),
        ("a.odt", zipped.package(zipped.odt('<text:h text:outline-level="2">Wheat</text:h><text:p>Rye</text:p>')), ["## Wheat\n\nRye"], None),
        ("a.epub", zipped.package(zipped.epub("<h1>Wheat</h1><p>Rye</p>", "<p>Oats&nbsp;&amp; <a href='c0.xhtml'>rye</a></p>")), ["# Wheat\n\nRye", "Oats\u00a0& rye"], "A book"),
        ("a.eml", MAIL, ["**Subject**: Héllo\n\n**From**: Ann \\<ann@example.com>\n\n**To**: bob@example.com\n\n**Attachments**: list.pdf\n\nGrüße **all**"], "Héllo"),
        ("a.msg", ole.msg("Wheat", "one\ntwo"), ['**Subject**: Wheat\n\n**From**: "Ann" \\<ann@example.com>\n\none  \ntwo'], "Wheat"),
        ("a.csv", b"kind;ha\nwheat;2", ["| kind | ha |\n| --- | --- |\n| wheat | 2 |\n"], None),
        ("a.html", b"<title>T</title><h1>Wheat</h1><p>Rye", ["# Wheat\n\nRye"], "T"),
        ("a.md", b"# Wheat\n\n- rye\n", ["# Wheat\n\n- rye\n"], None),
        ("a.txt", b"Wheat", ["Wheat"], None),
        ("a.pdf", REPORT, None, "A report"),  # what it is decides, not what it is called
    ],
)  # fmt: skip
def test_every_format_is_converted_under_whatever_name(
    name: str, data: bytes, pages: list[str] | None, title: str | None
) -> None:
    document = made(data, name, DocumentOptions())
    assert document.title == title
    assert all(page.items and page.text for page in document.pages)
    if pages:
        assert [page.markdown.strip() for page in document.pages] == [page.strip() for page in pages]


def test_a_mail_is_cut_at_its_own_boundaries_and_shown_as_html_before_text() -> None:
    inner = b"--b\r\n\r\nno headers: plain --b\r\n--bb\r\nstill\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>shown\r\n--b--\r\nepilogue"
    head = b"Subject: s\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n--a\r\n"
    body = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n" + inner
    forwarded = (
        b'Content-Type: message/rfc822; name="old.eml"\r\n\r\nSubject: old\r\nContent-Type: text/html\r\n\r\n<p>old\r\n'
    )
    attached = b'Content-Disposition: attachment; filename="=?utf-8?q?=C3=A4.txt?="\r\n\r\nattached\r\n'
    mail = b"--a\r\n".join([head + body + b"\r\n", forwarded, attached]) + b"--a--"
    shown = "**Subject**: s\n\n**Attachments**: old.eml, ä.txt\n\nshown"
    assert made(mail, "a.eml").markdown == shown
    assert made(mail.replace(b"\r\n", b"\n"), "a.eml").markdown == shown
    assert made(mail[: mail.index(b"<p>shown") + 8], "a.eml").markdown == "**Subject**: s\n\nshown"
    plain = made(mail.replace(b"text/html", b"text/x"), "a.eml")
    assert plain.markdown.endswith("no headers: plain --b  \n--bb  \nstill")
    assert plain.text.endswith("no headers: plain --b\n--bb\nstill")


def test_pages_are_chosen_counted_from_0_or_1_and_at_most_so_many() -> None:
    show = zipped.package(zipped.pptx(("a",), ("b",), ("c",), ("d",)))
    book = pdf.pdf(*(pdf.paragraphs("a", "1") for _ in range(4)))
    for data in (show, book):
        for parameters, first, wanted in (
            ({"target_pages": "0,2-9"}, 0, [1, 3, 4]),
            ({"target_pages": "3,0-99999," * 9 + "2"}, 0, [1, 2, 3, 4]),
            ({"target_pages": "1,3"}, 1, [1, 3]),
            ({"max_pages": 2}, 0, [1, 2]),
            ({"target_pages": "1-3", "max_pages": 2}, 0, [2, 3]),
        ):
            document = made(data, options=DocumentOptions.of(parameters, first_page=first))
            assert [page.number for page in document.pages] == wanted
            assert document.metadata["pages"] == 4
        with pytest.raises(ItemFailed, match="none of the pages that were chosen is among its 4") as caught:
            made(data, options=DocumentOptions.of({"target_pages": "7"}))
        assert caught.value.failure.code is FailureCode.NO_TEXT
        with pytest.raises(ItemFailed, match="the limit is 2"):
            made(data, bounds=Bounds(max_pages=2))
        assert len(made(data, options=DocumentOptions(max_pages=2), bounds=Bounds(max_pages=2)).pages) == 2


def test_what_stands_between_and_around_pages_is_as_asked_for() -> None:
    show = zipped.package(zipped.pptx(("a",), ("b",)))
    asked = {"page_separator": "\n=={pageNumber}==\n", "page_prefix": "<{pageNumber}>", "page_suffix": "</>"}
    document = made(show, options=DocumentOptions.of(asked))
    assert document.markdown == "<1>## a</>\n==2==\n<2>## b</>"
    assert document.text == "<1>a</>\n==2==\n<2>b</>"


def test_running_heads_links_margins_and_slanted_text_are_as_asked_for() -> None:
    pages = [
        pdf.text([(72, 820, 9, "ACME Ltd"), (72, 700, 11, f"The body of page {n}."), (280, 20, 9, f"Page {n}")])
        + b"\nBT /F1 20 Tf 0.7 0.7 -0.7 0.7 300 300 Tm (DRAFT) Tj ET"
        for n in range(1, 5)
    ]  # fmt: skip
    data = pdf.pdf(*pages, link=((72, 695, 300, 715), "https://example.com/"))
    plain = made(data)
    assert "ACME Ltd" in plain.markdown
    assert "Page 2" in plain.markdown
    assert "DRAFT" in plain.text
    assert plain.links == ["https://example.com/"]
    asked = {
        "hide_headers": True, "hide_footers": True, "skip_diagonal_text": True, "annotate_links": False,
    }  # fmt: skip
    other = made(data, options=DocumentOptions.of(asked))
    assert "ACME Ltd" not in other.markdown
    assert "Page 2" not in other.markdown
    assert "The body of page 2." in other.markdown
    assert "DRAFT" not in other.text
    assert other.links == []
    marked = {"page_header_prefix": "<h>", "page_header_suffix": "</h>", "page_footer_prefix": "<f>"}
    second = made(data, options=DocumentOptions.of(marked)).pages[1]
    assert second.markdown.startswith("<h>ACME Ltd</h>\n\n")
    assert second.markdown.endswith("\n\n<f>Page 2")
    for hidden, left in (("hide_headers", "Page 2"), ("hide_footers", "ACME Ltd")):
        half = made(data, options=DocumentOptions.of({hidden: True})).pages[1]
        for told in (half.markdown, str(half.items)):
            assert [words for words in ("ACME Ltd", "body of page 2", "Page 2") if words in told] == sorted(
                ["body of page 2", left], key=told.index
            )
    cropped = made(data, options=DocumentOptions.of({"bbox_top": 0.1, "bbox_bottom": 0.1}))
    assert "ACME Ltd" not in cropped.text
    assert "Page 2" not in cropped.text
    assert "The body of page 2." in cropped.text


def test_of_a_file_of_html_only_the_main_content_is_left_where_navigation_is_to_be_removed() -> None:
    page = f"<nav><a href='/x'>Menu</a></nav><main><h1>Harvest</h1><p>{'Wheat and rye. ' * 40}</p></main>".encode()
    said = {}
    for asked in (True, False):
        job = ParseJob.asked({"html_remove_navigation_elements": asked})
        source = Source("https://x.example/", page, name="a.html")
        said[asked] = convert(source, max_decoded_bytes=2**20, how=how(Choices.of(job.options), file=True)).pages[0]
    assert "Menu" in said[False].markdown
    assert "Menu" not in said[True].markdown + said[True].text
    assert said[True].markdown.startswith("# Harvest")


def test_a_page_that_fails_is_said_so_and_too_many_are_a_failure() -> None:
    from thresher.convert.documents.made import Made
    from thresher.convert.documents.whole import whole

    pages = [DocumentPage(1, "one", "one"), DocumentPage(2, error="it is broken")]
    tolerant = DocumentOptions(page_error_tolerance=0.5, failed_page="error_message")
    document = whole(Made(pages, 2), "pdf", tolerant, Bounds())
    assert document.markdown == "one\n\n---\n\nPage 2 could not be converted: it is broken"
    assert document.pages[1].error == "it is broken"
    blank = whole(Made(pages, 2), "pdf", dataclasses.replace(tolerant, failed_page="blank_page"), Bounds())
    assert blank.markdown == "one\n\n---\n\n"
    with pytest.raises(ItemFailed, match="1 of 2 pages failed; page 2: it is broken") as caught:
        whole(Made(pages, 2), "pdf", DocumentOptions(), Bounds())
    assert caught.value.failure.code is FailureCode.DOCUMENT_BROKEN


def test_the_frame_of_a_document_has_its_pages_and_no_html() -> None:
    document = made(REPORT)
    frame = Frame.parse(encode(Source("https://x.example/", REPORT), document, {}))
    assert [page["number"] for page in frame.pages] == [1, 2, 3]
    assert frame.pages[0] | {"items": items.of_page(frame.pages[0])} == dataclasses.asdict(document.pages[0])
    assert (frame.html(2**20), frame.json(2**20), frame.body) == (None, None, REPORT)
    assert frame.markdown == document.markdown
    page = convert(Source("https://x.example/", b"<p>x", "text/html"), max_decoded_bytes=2**20)
    assert Frame.parse(encode(Source("https://x.example/", b"<p>x"), page, {})).pages == []
    with pytest.raises(OverflowError):
        encode(Source("https://x.example/", REPORT), document, {}, max_output_bytes=500)


def test_the_extensions_that_are_told_are_those_of_every_format() -> None:
    assert {f".{form}" for form in FORMATS} <= {*EXTENSIONS}
    assert len({*EXTENSIONS}) == len(EXTENSIONS)


def test_what_a_document_says_is_not_taken_for_markup_and_nothing_is_taken_for_a_watermark() -> None:
    said = "See [x](y), *a* _b_ # c in Some Paper arXiv:2101.12345v2 [cs.CL] 3 Jan 2021"
    page = made(zipped.package(zipped.docx(zipped.paragraph(said)))).pages[0]
    assert page.markdown == said.replace("[x]", "\\[x\\]").replace("*", "\\*").replace("_", "\\_").replace(
        "[cs.CL]", "\\[cs.CL\\]"
    )
    assert page.text == said
    assert page.items[0]["value"] == said


def test_notes_formulas_and_tables_of_the_library_s_html_become_markdown_and_text() -> None:
    note = '<sup class="footnote-ref"><a href="#fn-1" id="fnref-1" data-footnote-ref>1</a></sup>'
    markdown, text = rendered(
        f"<hr />\n<p>Rye[^2] is a<sub>1</sub> grain.{note}</p>\n"
        '<p><span data-math-style="display">a_1 &lt; \\frac{b}{c}</span></p>\n'
        "<table>\n<thead>\n<tr>\n<th>kind</th>\n<th></th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>a very long cell</td>\n<td>1</td>\n</tr>\n"
        "<tr>\n<td>b</td>\n<td>2</td>\n</tr>\n</tbody>\n</table>\n<ul>\n<li>one</li>\n</ul>\n<ol>\n<li>two</li>\n</ol>\n"
        '<section class="footnotes" data-footnotes>\n<ol>\n<li id="fn-1">\n<p>So says <em>Ann</em>. '
        '<a href="#fnref-1" class="footnote-backref">\u21a9</a></p>\n</li>\n</ol>\n</section>\n'
    )
    assert markdown == (
        "Rye[^2] is a~1~ grain.\n\n$$a_1 < \\frac{b}{c}$$\n\n| kind |  |\n| --- | --- |\n| a very long cell | 1 |\n| b | 2 |\n\n"
        "- one\n1. two\n\n[^2]: So says *Ann*."
    )
    assert text == (
        "Rye[^2] is a1 grain.\n\n$$a_1 < \\frac{b}{c}$$\n\nkind\t\na very long cell\t1\nb\t2\n\none\n1. two\n\n[^2]: So says Ann."
    )
    assert [item["type"] for item in items.of_markdown(markdown)] == ["text", "text", "table", "list", "list", "text"]


def test_xml_in_utf_16_is_read_and_what_we_mark_places_with_is_harmless_where_a_document_says_it() -> None:
    parts = zipped.docx(zipped.paragraph("Größe"))
    declared = '<?xml version="1.0" encoding="UTF-16"?>' + str(parts["word/document.xml"])
    assert made(zipped.package(parts | {"word/document.xml": declared.encode("utf-16")})).text == "Größe"
    said = "a\ue0feb \ue0e07\ue0e1 [^1] \ue0e2"
    for data in (zipped.package(zipped.docx(zipped.paragraph(said))), zipped.package(zipped.pptx(("T", said)))):
        (page,) = made(data).pages
        assert "[^1]" in page.text


@pytest.mark.parametrize("cell", ["a", " a ", "a|b", "a\\|b", "<b>", "a\nb", "a\x1fb", "", "a\tb"])
def test_a_table_is_the_same_whether_its_cells_are_looked_at_together_or_one_by_one(cell: str) -> None:
    rows = [["k", cell], [cell, "x"], [cell], ["x", "y"]]
    one_by_one = [f"| {' | '.join(map(markup.cell, row))} |" for row in rows]
    assert table.markdown(rows).splitlines() == [one_by_one[0], "| --- | --- |", *one_by_one[1:]]
