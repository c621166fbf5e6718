"""What two results are compared by."""

from thresher.convert.digest import digest
from thresher.convert.document import Document, How
from thresher.domain.choices import Content
from thresher.domain.failure import Failure, FailureCode


def made(markdown: str, parsed: bytes | Failure | None = None) -> Document:
    return Document("html", "utf-8", "header", 1.0, None, markdown, markdown, parsed=parsed)


def test_a_digest_is_of_the_markdown_and_its_content_and_of_what_which_parser_made() -> None:
    page = digest(made("# ü"), How())
    assert len(page) == 17
    assert digest(made("# ü"), How()) == page != digest(made("# u"), How())
    main = digest(made("# ü"), How(content=Content.MAIN))
    assert (main[1:], main[:1]) == (page[1:], b"M")

    emails = How("@thresher/emails")
    read = digest(made("# ü", b"{}"), emails)
    assert (read[:17], len(read)) == (page, 37)
    assert digest(made("# ü", b"{}"), How("@olostep/extract-emails")) == read, "an alias is the same parser"
    assert digest(made("# ü", b"[]"), emails)[:21] == read[:21]
    assert digest(made("# ü", b"[]"), emails)[21:] != read[21:]
    other = digest(made("# ü", b"{}"), How("@thresher/links"))
    assert (other[21:], other[17:21] == read[17:21]) == (read[21:], False)
    assert digest(made("# ü", Failure(FailureCode.PARSER_NO_MATCH, "")), emails) == page
