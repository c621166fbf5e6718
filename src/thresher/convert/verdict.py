"""Whether an answer of success is the page that was asked for: or a challenge, a login form, a soft 404, or nothing.

Precision first: a page that has something to read is the page, whatever scripts and forms stand beside it. So almost
every page is passed by its length, its title and its headings; only a suspect is parsed again. Every verdict
has its evidence, in words for a person. Knows nothing of items, and does not decide what a verdict means for one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import ada_url
import turbohtml

from thresher.convert import phrases
from thresher.convert.document import Verdict
from thresher.domain.failure import FailureCode

_LONG = 3000  # characters of text: beyond these, only the title can make a page a suspect
_THIN = (
    900  # characters of prose (text that is not in links, navigation and labels): less than pages worth reading have
)
_TERSE = 1200  # characters of text: a page that only quotes a block page has more
_CURT = 300  # characters of prose: where nothing but a heading speaks of a block, a poem or a song has more
_FEW_LINKS = 12  # a block page has no menus
_HEADINGS = 8  # headings that are looked at
_MAX_SOURCE = 2**20  # characters of source that are searched for marks: a thin page of more is mostly script

_SEPARATORS = re.compile(r"\s+[|–—·•»›:/~-]+\s+|\s*[|»›•·]\s*|:\s+")
_MARKDOWN_HEADING = re.compile(r"^#{1,2} +(.+)", re.MULTILINE)
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]*+)\]\([^()]*+\)")
_ANY = re.compile("|".join(t.pattern for t in (phrases.BLOCKED, phrases.LOGIN, phrases.NOT_FOUND, phrases.NUMBER)))
_EDGES = " \t\n\r.!?…'\"“”„«»()[]{}–—-:|*"
_NOT_PROSE = "nav,header,footer,aside,button,select,label,a,script,style,noscript,template,svg,title"


NOTHING = Verdict(FailureCode.EMPTY_PAGE, ("the body is empty",))


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTML answer with what was made of it. `requested` is the URL before redirects, `url` the one after them."""

    html: str
    title: str | None
    markdown: str
    text: str
    url: str
    requested: str
    headers: Mapping[str, str]


def judge(answer: Answer) -> Verdict | None:
    """The verdict on an HTML answer; None if it is the page, as far as can be told."""
    if marked := _by_headers(answer.headers):
        return Verdict(FailureCode.SITE_BLOCKED, (marked,))
    segments = title_segments(answer.title)
    telling = any(_telling(segment) for segment in segments)
    if len(answer.text) > _LONG and not telling:
        return None
    page = _Suspect(answer, segments)
    if not answer.markdown.strip():
        return _blocked(page) or Verdict(FailureCode.EMPTY_PAGE, tuple(_why_empty(page)))
    verdict = _blocked(page) or _login(page) or _not_found(page)
    # Last, because it takes a parse, and almost no page has anything against it.
    return verdict if verdict is not None and page.prose <= _THIN else None


def judge_file(answer: Answer) -> Verdict | None:
    """The verdict on a file of HTML that somebody gave us: it is what was meant, unless there is nothing in it."""
    if answer.markdown.strip():
        return None
    return Verdict(FailureCode.EMPTY_PAGE, tuple(_why_empty(_Suspect(answer, []))))


def title_segments(title: str | None) -> list[str]:
    """The parts of a title ("Sign in - Example" has two), and the title as a whole; each bare of punctuation, in lower case."""
    if not title:
        return []
    whole = _bare(title)
    return list(dict.fromkeys([whole, *(_bare(part) for part in _SEPARATORS.split(title))]))


def _bare(text: str) -> str:
    return " ".join(text.replace("’", "'").split()).strip(_EDGES).casefold()


def _telling(segment: str) -> bool:
    # Nothing longer is a heading of such a page, and the patterns need not be proof against a novel.
    return len(segment) <= 120 and _ANY.fullmatch(segment) is not None


class _Suspect:
    """A page that is looked at. Parsed when something asks for it."""

    def __init__(self, answer: Answer, segments: list[str]) -> None:
        self.answer, self.segments = answer, segments

    @cached_property
    def tree(self) -> turbohtml.Document:
        return turbohtml.parse(self.answer.html, positions=False, scripting=True)

    @cached_property
    def source(self) -> str:
        return self.answer.html[:_MAX_SOURCE].lower()

    @cached_property
    def text(self) -> str:
        return " ".join(self.answer.text.replace("’", "'").split()).lower()

    @cached_property
    def headings(self) -> list[str]:
        """As they stand in the markdown."""
        return [heading.strip() for heading in _MARKDOWN_HEADING.findall(self.answer.markdown)[:_HEADINGS]]

    @cached_property
    def is_bare(self) -> bool:
        """Whether it has one heading at most and no menu: then the heading speaks of the page, not of a part of it."""
        return len(self.headings) <= 1 and self.links <= _FEW_LINKS

    @cached_property
    def links(self) -> int:
        return len(self.tree.select("a[href]"))

    @cached_property
    def passwords(self) -> int:
        return len(self.tree.select("input[type=password i]"))

    @cached_property
    def prose(self) -> int:
        """Characters of what stands there to be read. Headings count; they are part of an article's text as well."""
        tree = turbohtml.parse(self.answer.html, positions=False, scripting=True)
        tree.remove(_NOT_PROSE)
        return len(" ".join(tree.to_text().split()))

    def said(self, table: re.Pattern[str]) -> str | None:
        """Where a phrase of the table is the title, a part of it, or a heading."""
        return self.titled(table) or self.headed(table)

    def titled(self, table: re.Pattern[str]) -> str | None:
        for segment in self.segments:
            if len(segment) <= 120 and table.fullmatch(segment):
                return f"the title says {segment[:80]!r}"
        return None

    def headed(self, table: re.Pattern[str]) -> str | None:
        """A heading that leads elsewhere speaks of what is there: of a thread in a list, say."""
        for heading in self.headings:
            bare = "" if _MARKDOWN_LINK.fullmatch(heading) else _bare(_MARKDOWN_LINK.sub(r"\1", heading))
            if bare and len(bare) <= 120 and table.fullmatch(bare):
                return f"a heading says {bare[:80]!r}"
        return None


def _by_headers(headers: Mapping[str, str]) -> str | None:
    for name, values in phrases.HEADERS:
        value = headers.get(name)
        if value is not None and (values is None or value.strip().lower() in values):
            return f"the header {name} says {value[:40]!r}"
    return None


def _blocked(page: _Suspect) -> Verdict | None:
    """Few links beside words of a block page, or the mark of a maker of such pages on it."""
    said = page.said(phrases.BLOCKED)
    if said and page.links > _FEW_LINKS:
        said = None
    text = next((phrase for phrase in phrases.BLOCKED_TEXTS if phrase in page.text), None)
    # The source may be long, and pages with a mark have little to say.
    wanted = said or text or len(page.text) <= _TERSE
    mark = next((whose for mark, whose in phrases.MARKS if mark in page.source), None) if wanted else None
    if text and not (mark or said) and (len(page.text) > _TERSE or page.links > _FEW_LINKS):
        text = None  # somebody may write about it
    if said and not (mark or text) and page.prose > _CURT:
        said = None
    if not (mark or said or text):
        return None
    evidence = [said] if said else []
    evidence += [f"the text says {text!r}"] if text else []
    evidence += [f"the source has {mark}"] if mark else []
    return Verdict(FailureCode.SITE_BLOCKED, (*evidence, *_widgets(page)))


def _widgets(page: _Suspect) -> list[str]:
    found = dict.fromkeys(whose for mark, whose in phrases.WIDGETS if mark in page.source)
    return [f"the source has {whose}" for whose in found]


def _login(page: _Suspect) -> Verdict | None:
    answer = page.answer
    if _leads_to(answer.requested, phrases.LOGIN_PATHS):
        return None  # a login page was asked for, and this is it
    led = answer.requested != answer.url and _leads_to(answer.url, phrases.LOGIN_PATHS)
    # A form in the corner of a short page is no wall, nor is one in a dialog that every page of a site has, with a
    # heading of its own: the page as a whole must be about the login, or have been led to.
    said = page.titled(phrases.LOGIN)
    if not said and (said := page.headed(phrases.LOGIN)) and not (led or page.is_bare):
        return None
    if not said or not (page.passwords or led):
        return None
    evidence = [said]
    if page.passwords:
        evidence.append("there is a password field")
    if led:
        evidence.append("a redirect led to a login page")
    return Verdict(FailureCode.LOGIN_REQUIRED, tuple(evidence))


def _not_found(page: _Suspect) -> Verdict | None:
    answer = page.answer
    if _leads_to(answer.requested, phrases.NOT_FOUND_PATHS):
        return None
    evidence = []
    said = page.said(phrases.NOT_FOUND)
    if said is None and phrases.NUMBER_TEXTS.search(page.text):
        said = page.said(phrases.NUMBER)
    if said:
        evidence.append(said)
    if answer.requested != answer.url and _leads_to(answer.url, phrases.NOT_FOUND_PATHS):
        evidence.append("a redirect led to an error page")
    return Verdict(FailureCode.SOFT_404, tuple(evidence)) if evidence else None


def _why_empty(page: _Suspect) -> list[str]:
    found = ["there is no text and no picture"]
    if page.tree.select_one("frameset") is not None:
        found.append("it is made of frames")
    elif page.tree.select_one("iframe[src]") is not None:
        found.append("its content is in an iframe")
    elif page.tree.select_one('meta[http-equiv="refresh" i]') is not None:
        found.append("it refreshes to another page")
    elif page.tree.select_one("video,audio,svg,canvas,object,embed") is not None:
        found = ["there is no text; it is made of drawings, sound or video"]
    elif page.tree.select_one("script") is not None:
        found.append("it is made by scripts")
    return found + _widgets(page)


def _leads_to(url: str, names: frozenset[str]) -> bool:
    try:
        path = ada_url.URL(url).pathname.lower()
    except ValueError:
        return False
    return any(part.partition(".")[0] in names for part in path.split("/"))
