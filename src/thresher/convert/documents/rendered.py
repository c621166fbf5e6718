"""The HTML that Kreuzberg writes of a document, as markdown and text.

Not its markdown: that takes it twice as long, leaves characters unescaped that mean something there, and loses words that
it takes for a watermark. Its HTML is regular, which is made use of; markup of others goes to convert/html.py.
"""

import html
import re

import turbohtml
from turbohtml import Markdown, PlainText

_MARKDOWN = Markdown(inline=Markdown.Inline(sup="^", sub="~"))
_TEXT = PlainText(images=True, bullet="")
# What is not to be escaped stands between these characters, for private use, until the markdown is written.
_OPEN, _CLOSE = "\ue0e0", "\ue0e1"
_KEPT = re.compile(rf"{_OPEN}(\d{{1,9}}){_CLOSE}")
_CELL_END = "\ue0e2"  # in a text: so a row is one cell, and no column is filled up with spaces as wide as its widest
_FORMULA = re.compile(r'<span data-math-style="(?:display|inline)">(.*?)</span>', re.DOTALL)
# A reference to a note is there as text, where it belongs, and once more, numbered anew, at the end of the paragraph.
_REFERENCE = re.compile(r"\[\^([^\s\]<>]{1,40})\]")
_REPEATED = re.compile(r'<sup class="footnote-ref"><a href="#fn-([^"]*)".*?</sup>')
_NOTES = re.compile(r'<section class="footnotes" data-footnotes>\n<ol>\n(.*?)</ol>\n</section>', re.DOTALL)
_NOTE = re.compile(r'<li id="fn-([^"]*)">\n<p>')
_BACK = re.compile(r' ?<a href="#fnref-[^>]*>.*?</a>|</li>')


def rendered(content: str) -> tuple[str, str]:
    """Markdown and text."""
    content = content.replace("<hr />\n", "")
    kept: list[str] = []

    def keep(said: str) -> str:
        kept.append(said)
        return f"{_OPEN}{len(kept) - 1}{_CLOSE}"

    if "data-math-style" in content:
        content = _FORMULA.sub(lambda found: keep(f"$${html.unescape(found[1])}$$"), content)
    if "[^" in content:
        content = _REFERENCE.sub(lambda found: keep(found[0]), _noted(content))
    document = turbohtml.parse(content, positions=False)
    markdown = document.to_markdown(_MARKDOWN)
    if "</table>" in content:
        joined = content.replace("</td>\n<td>", _CELL_END).replace("</th>\n<th>", _CELL_END)
        document = turbohtml.parse(joined, positions=False)
    text = document.to_text(_TEXT).strip().replace(_CELL_END, "\t")
    if kept:
        markdown, text = (
            _KEPT.sub(lambda found: kept[int(found[1])] if int(found[1]) < len(kept) else found[0], one)
            for one in (markdown, text)
        )
    return markdown, text


def _noted(content: str) -> str:
    """Notes as paragraphs, under the names that they are referred to by."""
    body, section, notes = content.partition('<section class="footnotes"')
    names = dict(zip(_REPEATED.findall(body), _REFERENCE.findall(body), strict=False))
    notes = _NOTES.sub(r"\1", section + notes)
    notes = _NOTE.sub(lambda found: f"<p>[^{names.get(found[1], found[1])}]: ", notes)
    return _REPEATED.sub("", body) + _BACK.sub("", notes)
