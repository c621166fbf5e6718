"""robots.txt as RFC 9309 wants it read, and as sites write it."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresher.domain.robots import MAX_BYTES, Rule, Rules, normalise, parse, product_token

AGENT = "Thresher/0.1 (+https://example.org/about)"


def _allows(text: str | bytes, path: str, agent: str = AGENT) -> bool:
    return parse(text.encode() if isinstance(text, str) else text, agent).allows(path)


def _all(*lines: str) -> str:
    """Rules for every crawler."""
    return "\n".join(["User-agent: *", *lines, ""])


# What one rule matches: (pattern of a disallow, path, is it forbidden).
_MATCHES = [
    # A pattern is a prefix, in octets, with the case as it is (2.2.2).
    ("/", "/", True),
    ("/", "/anything?at=all", True),
    ("/private", "/private", True),
    ("/private", "/private/", True),
    ("/private", "/privateer.html", True),
    ("/private", "/private?x=1", True),
    ("/private/", "/private", False),
    ("/private", "/Private", False),
    ("/private", "/not/private", False),
    ("/a.b", "/axb", False),
    ("/(a|b)[c]+", "/ac", False),
    ("/search?q=", "/search?q=corn", True),
    ("/search?q=", "/search?p=1&q=corn", False),
    ("private", "/private", False),
    # `*` is any run of characters, also an empty one (2.2.3).
    ("*", "/", True),
    ("/*", "/", True),
    ("/a*", "/a", True),
    ("/a*c", "/abbbc", True),
    ("/a*c", "/ac", True),
    ("/a*c", "/abbbcd", True),
    ("/a*c", "/abbb", False),
    ("/a**c", "/abc", True),
    ("*/wp-admin", "/blog/wp-admin/x", True),
    ("/*/b", "/b", False),
    ("/*?", "/page?x", True),
    ("/*?", "/page", False),
    ("/a*b*c", "/a-c-b", False),
    ("/*aab", "/aaab", True),
    ("/*b*b", "/ab", False),
    ("/*b*b", "/abab", True),
    ("/*ab*ba$", "/aba", False),
    # `$` is the end, but only at the end of the pattern.
    ("/$", "/", True),
    ("/$", "/a", False),
    ("/*.pdf$", "/a/b.pdf", True),
    ("/*.pdf$", "/a.pdf?download", False),
    ("/*.pdf$", "/a.pdf.pdf", True),
    ("/a$b", "/a$bc", True),
    ("/a$b", "/a", False),
    ("/a$$", "/a$", True),
    ("/a$$", "/a", False),
    ("/a*$", "/abc", True),
    ("/aba*aba$", "/aba", False),
    ("/aba*aba$", "/abaaba", True),
    ("$", "/", False),
    # Escaped, the special characters stand for themselves.
    ("/file-%2A.html", "/file-*.html", True),
    ("/file-%2a.html", "/file-x.html", False),
    ("/price-%24", "/price-$9", True),
    ("/end%24", "/end", False),
    # Escapes of unreserved characters mean the characters, on either side.
    ("/b%61z", "/baz", True),
    ("/baz", "/b%61z", True),
    ("/%7Euser", "/~user", True),
    ("/~user", "/%7euser", True),
    # Escapes of reserved characters are other octets than the characters.
    ("/a%2Fb", "/a/b", False),
    ("/a/b", "/a%2Fb", False),
    ("/a%2Fb", "/a%2fb", True),
    ("/a%3Fb", "/a?b", False),
    ("/foo/bar?baz=http://foo.bar", "/foo/bar?baz=http://foo.bar", True),
    # Octets outside of ASCII, raw or escaped in either case.
    ("/ツ", "/%E3%83%84", True),
    ("/%e3%83%84", "/%E3%83%84", True),
    ("/%E3%83%84", "/ツ", True),
    ("/caf\u00e0", "/caf%C3%A0", True),
    ("/ツ", "/%E3%83", False),
    # What a URL parser escapes may be written plainly in a rule.
    ("/a b", "/a%20b", True),
    ("/{id}", "/%7Bid%7D", True),
    ("/x?it's", "/x?it%27s", True),
    ("/100%", "/100%25", True),
    ("/%zz", "/%zz", True),
]


@pytest.mark.parametrize(("pattern", "path", "forbidden"), _MATCHES)
def test_a_rule_matches_what_the_standard_says(pattern: str, path: str, forbidden: bool):
    assert _allows(_all(f"Disallow: {pattern}"), path) is not forbidden


# Which rule wins: (rules, path, is it allowed).
_WINNERS = [
    (("Disallow: /p", "Allow: /p/open"), "/p/open/1", True),
    (("Allow: /p/open", "Disallow: /p"), "/p/open/1", True),
    (("Disallow: /p", "Allow: /p/open"), "/p/shut", False),
    (("Allow: /p", "Disallow: /p/shut"), "/p/shut", False),
    (("Disallow: /page", "Allow: /page"), "/page", True),
    (("Allow: /page", "Disallow: /page"), "/page", True),
    (("Disallow: /p%61ge", "Allow: /page"), "/page", True),
    (("Allow: /a*", "Disallow: /ab"), "/ab", True),
    (("Allow: /folder", "Disallow: /folder$"), "/folder", False),
    (("Allow: /$", "Disallow: /"), "/", True),
    (("Allow: /$", "Disallow: /"), "/page.htm", False),
    (("Allow: /page", "Disallow: /*.htm"), "/page.htm", False),
    (("Allow: /ツ", "Disallow: /%E3%83"), "/ツ", True),
    (("Disallow:",), "/any", True),
    (("Disallow: /", "Disallow:"), "/any", False),
    (("Disallow: /", "Allow:"), "/any", False),
    ((), "/any", True),
    (("Disallow: /",), "/robots.txt", True),
    (("Disallow: /robots.txt",), "/robots.txt", True),
    (("Disallow: /",), "/robots.txt.bak", False),
]


@pytest.mark.parametrize(("rules", "path", "allowed"), _WINNERS)
def test_the_longest_rule_decides_and_allow_wins_a_tie(rules: Iterable[str], path: str, allowed: bool):
    assert _allows(_all(*rules), path) is allowed


# Which lines count: (file, is /x allowed for Thresher).
_FILES = {
    "nothing at all": ("", True),
    "blank lines only": ("\n\r\n \t \n", True),
    "a group of our own": ("User-agent: thresher\nDisallow: /x", False),
    "the case of our name is of no account": ("uSER-aGENT: tHRESHER\ndISALLOW: /x", False),
    "a group of another": ("User-agent: other\nDisallow: /x", True),
    "a longer name is another": ("User-agent: thresher-news\nDisallow: /x", True),
    "a shorter name is another": ("User-agent: thresh\nDisallow: /x", True),
    "a name with a digit is another": ("User-agent: thresher2\nDisallow: /x", True),
    "a version behind our name": ("User-agent: Thresher/2.7\nDisallow: /x", False),
    "words behind our name": ("User-agent: Thresher the crawler\nDisallow: /x", False),
    "a remark behind the star": ("User-agent: * everyone\nDisallow: /x", False),
    "a star within a name is no star": ("User-agent: *bot\nDisallow: /x", True),
    "an agent without a name": ("User-agent:\nDisallow: /x", True),
    "our own group keeps the star's away": ("User-agent: *\nDisallow: /\n\nUser-agent: thresher\nDisallow: /y", True),
    "our own group without rules": ("User-agent: *\nDisallow: /\nUser-agent: thresher\nDisallow:", True),
    "the order of groups is of no account": ("User-agent: thresher\nAllow: /\nUser-agent: *\nDisallow: /", True),
    "two groups of ours are one": (
        "User-agent: thresher\nDisallow: /y\nUser-agent: a\nAllow: /\nUser-agent: thresher\nDisallow: /x",
        False,
    ),
    "two groups of the star are one": ("User-agent: *\nDisallow: /y\nUser-agent: *\nDisallow: /x", False),
    "the rules of merged groups compete": (
        "User-agent: thresher\nDisallow: /\nUser-agent: thresher\nAllow: /x",
        True,
    ),
    "several agents share a group": ("User-agent: a\nUser-agent: thresher\nUser-agent: b\nDisallow: /x", False),
    "an agent after a rule begins a group": ("User-agent: thresher\nDisallow: /y\nUser-agent: b\nDisallow: /x", True),
    "blank lines do not end a group": ("User-agent: thresher\n\n\nDisallow: /y\n\nDisallow: /x", False),
    "blank lines do not part agents": ("User-agent: thresher\n\nUser-agent: b\nDisallow: /x", False),
    "comments do not part agents": ("User-agent: thresher # us\n# them\nUser-agent: b\nDisallow: /x # no", False),
    "an empty disallow ends the naming": ("User-agent: thresher\nDisallow:\nUser-agent: b\nDisallow: /x", True),
    "unknown lines do not part agents": ("User-agent: thresher\nHost: h\nUser-agent: b\nDisallow: /x", False),
    "sitemaps do not part agents": ("User-agent: thresher\nSitemap: http://h/s\nUser-agent: b\nDisallow: /x", False),
    "a crawl-delay does not part agents": ("User-agent: thresher\nCrawl-delay: 5\nUser-agent: b\nDisallow: /x", False),
    "sitemaps do not end a group": ("User-agent: *\nSitemap: http://h/s\nDisallow: /x", False),
    "rules before any agent are nobody's": ("Disallow: /x\nUser-agent: *\nDisallow: /y", True),
    "rules without any agent are nobody's": ("Disallow: /x", True),
    "a comment ends a path": ("User-agent: *\nDisallow: /x#y", False),
    "a whole line may be a comment": ("User-agent: *\n#Disallow: /x", True),
    "spaces around everything": (" \tUser-agent \t:\t * \n \tDisallow \t:\t /x \t", False),
    "no spaces at all": ("User-agent:*\nDisallow:/x", False),
    "no colons": ("User-agent *\nDisallow /x", False),
    "prose is not a rule": ("User-agent: *\nDisallow /x if you please", True),
    "a colon within a path": ("User-agent: *\nDisallow: /y:z\nDisallow: /x", False),
    "the agent's key in its other spellings": ("Useragent: *\nDisallow: /x", False),
    "the agent's key in two words": ("User agent: *\nDisallow: /x", False),
    "CR LF": ("User-agent: *\r\nDisallow: /x\r\n", False),
    "CR alone": ("User-agent: *\rDisallow: /x\r", False),
    "all line ends at once": ("User-agent: *\r\rDisallow: /y\r\n\nDisallow: /x\n\r", False),
    "no end of the last line": ("User-agent: *\nDisallow: /x", False),
    "no other character ends a line": (
        "User-agent: *\nDisallow: /y\x0bDisallow: /x\u2028Disallow: /x\x1eAllow: /",
        True,
    ),
    "a byte order mark": ("\ufeffUser-agent: *\nDisallow: /x", False),
    "the first two bytes of a byte order mark": (b"\xef\xbbUser-agent: *\nDisallow: /x", False),
    "the first byte of a byte order mark": (b"\xefUser-agent: *\nDisallow: /x", False),
    "a byte order mark that is broken in the middle": (b"\xef\x11\xbfUser-agent: *\nDisallow: /x", True),
    "a byte order mark in the second line": (b"User-agent: *\n\xef\xbb\xbfDisallow: /x", True),
    "an agent with a space is the one before it": (
        "User-agent: *\nDisallow: /y\nUser-agent: Thresher Bar\nDisallow: /x",
        False,
    ),
    "a sitemap does not end what both agents share": (
        "User-agent: a\nSitemap: https://h/s\nUser-agent: *\nDisallow: /x",
        False,
    ),
    "a rule of nobody before, and of everybody behind": ("foo: /x\nDisallow: /y\nUser-agent: *\nDisallow: /x", False),
    "bytes that are not UTF-8": (b"# \xff\xfe\nUser-agent: *\nDisallow: /\xe9\nDisallow: /x", False),
    "a page in HTML": ("<!doctype html><html><body>Disallow: /x</body></html>", True),
}


@pytest.mark.parametrize(("text", "allowed"), _FILES.values(), ids=_FILES.keys())
def test_a_file_is_read_as_it_is_meant(text: str | bytes, allowed: bool):
    assert _allows(text, "/x") is allowed


# Cases in the manner of Google's own tests of its parser, as far as RFC 9309 says the same: (rules, path, is it allowed).
_LONGEST = [
    (("Disallow: /x/page.html", "Allow: /x/"), "/x/page.html", False),
    (("Allow: /x/page.html", "Disallow: /x/"), "/x/page.html", True),
    (("Allow: /x/page.html", "Disallow: /x/"), "/x/", False),
    (("Disallow: ", "Allow: "), "/x/page.html", True),
    (("Disallow: /", "Allow: /"), "/x/page.html", True),
    (("Disallow: /x", "Allow: /x/"), "/x", False),
    (("Disallow: /x", "Allow: /x/"), "/x/", True),
    (("Disallow: /x/page.html", "Allow: /x/page.html"), "/x/page.html", True),
    (("Allow: /page", "Disallow: /*.html"), "/page.html", False),
    (("Allow: /page", "Disallow: /*.html"), "/page", True),
    (("Allow: /x/page.", "Disallow: /*.html"), "/x/page.html", True),
    (("Allow: /x/page.", "Disallow: /*.html"), "/x/y.html", False),
    (("Disallow: /foo/bar/quz", "Allow: /foo/*/qux"), "/foo/bar/quz", False),
    (("Disallow: /foo/bar$", "Allow: /foo/bar/qux"), "/foo/bar", False),
    (("Disallow: /foo/bar$", "Allow: /foo/bar/qux"), "/foo/bar/qux", True),
    (("Disallow: /foo/bar$", "Allow: /foo/bar/qux"), "/foo/bar/", True),
    (("# Disallow: /", "Disallow: /foo/quz#qux", "Allow: /"), "/foo/bar", True),
    (("# Disallow: /", "Disallow: /foo/quz#qux", "Allow: /"), "/foo/quz", False),
    (
        ("Disallow: /", "Allow: /foo/bar?qux=taz&baz=http://foo.bar?tar&par"),
        "/foo/bar?qux=taz&baz=http://foo.bar?tar&par",
        True,
    ),
    (("Disallow: /", "Allow: /foo/bar/%E3%83%84"), "/foo/bar/%E3%83%84", True),
    (("Disallow: /", "Allow: /foo/bar/ツ"), "/foo/bar/%E3%83%84", True),
    (("Disallow: /", "Allow: /foo/bar/%62%61%7A"), "/foo/bar/%62%61%7A", True),
    (("Disallow: /*/*/bar", "Allow: /a/b/"), "/a/b/bar", False),
]


@pytest.mark.parametrize(("rules", "path", "allowed"), _LONGEST)
def test_the_longest_match_decides_whatever_the_order(rules: tuple[str, ...], path: str, allowed: bool):
    assert _allows(_all(*rules), path) is allowed
    assert _allows(_all(*reversed(rules)), path) is allowed


def test_a_path_in_another_charset_is_matched_by_its_octets():
    assert not _allows(b"User-agent: *\nDisallow: /caf\xe9", "/caf%E9/menu")


def test_a_character_whose_last_octet_looks_like_a_space_is_kept_whole():
    rules = parse("User-agent: *\nDisallow: /voil\u00e0\nDisallow: /\u3000".encode(), AGENT)
    assert [rule.pattern for rule in rules.rules] == ["/voil%C3%A0", "/%E3%80%80"]


@pytest.mark.parametrize(
    ("agent", "token"),
    [
        ("Thresher/0.1 (+https://x)", "thresher"),
        ("  My_Bot-X 2", "my_bot-x"),
        ("360Spider", "360spider"),
        ("(anonymous)", ""),
        ("", ""),
    ],
)
def test_the_product_token_is_what_stands_before_the_version(agent: str, token: str):
    assert product_token(agent) == token


def test_a_crawler_without_a_name_obeys_the_star_and_not_the_nameless():
    text = "User-agent:\nDisallow: /x\nUser-agent: *\nDisallow: /y"
    assert _allows(text, "/x", agent="(anonymous)")
    assert not _allows(text, "/y", agent="(anonymous)")


@pytest.mark.parametrize(
    ("lines", "delay"),
    [
        ("Crawl-delay: 2.5", 2.5),
        ("Crawl-delay: 1\nCrawl-delay: 7", 7.0),
        ("Crawl-delay: 0", 0.0),
        ("Crawl-delay: soon", None),
        ("Crawl-delay: nan", None),
        ("Crawl-delay: inf", None),
        ("Crawl-delay: -1", None),
        ("Disallow: /", None),
    ],
)
def test_a_crawl_delay_is_kept_where_it_is_a_sane_number(lines: str, delay: float | None):
    assert parse(_all(lines).encode(), AGENT).crawl_delay == delay


def test_another_crawlers_delay_is_not_ours():
    assert parse(b"User-agent: a\nCrawl-delay: 9\nDisallow: /\nUser-agent: *\nDisallow: /x", AGENT).crawl_delay is None


def _cut_at(line: bytes, inside: int) -> bytes:
    """A file of which exactly `inside` bytes of the last line lie within what is read."""
    head = b"User-agent: *\nDisallow: /first\n"
    filler = b"#" * (MAX_BYTES - len(head) - inside - 1) + b"\n"
    return head + filler + line


def test_a_line_that_ends_with_the_limit_counts():
    line = b"Disallow: /x"
    for more in (b"", b"\n", b"\r\n", b"\nDisallow: /y"):
        rules = parse(_cut_at(line, len(line)) + more, AGENT)
        assert not rules.allows("/x")
        assert rules.allows("/y")


def test_a_line_that_the_limit_cuts_does_not_count():
    rules = parse(_cut_at(b"Disallow: /x-only-this", len(b"Disallow: /x")), AGENT)
    assert rules.allows("/x-only-this")
    assert not rules.allows("/first")


def test_what_follows_the_limit_does_not_count():
    rules = parse(_cut_at(b"Disallow: /x\n", 0), AGENT)
    assert rules.allows("/x")
    assert not rules.allows("/first")


def test_rules_survive_json():
    rules = parse(_all("Disallow: /a*b$", "Allow: /ツ\0", "Crawl-delay: 3").encode(), AGENT)
    assert Rules.from_json(rules.to_json()) == rules
    assert "\0" not in str(rules.to_json())  # PostgreSQL takes none


def test_equal_rules_are_kept_once():
    text = _all(*["Disallow: /x"] * 20_000, "Allow: /%78")
    assert parse(text.encode(), AGENT).rules == (Rule(True, "/x"),)


# -- properties

_LINE = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["User-agent", "Disallow", "allow", "Crawl-delay", "Sitemap", "", "x"]),
    st.sampled_from([":", " : ", " ", ""]),
    st.one_of(st.sampled_from(["*", "thresher", "/", "/*a$", "/%61", ""]), st.text(max_size=12)),
    st.sampled_from(["\n", "\r", "\r\n", "#\n"]),
)
_FILE = st.one_of(
    st.binary(max_size=200), st.lists(_LINE, max_size=12).map(lambda lines: "".join(lines).encode("utf-8", "replace"))
)


@given(_FILE, st.text(max_size=20), st.text(max_size=30))
def test_nothing_makes_it_raise(data: bytes, agent: str, path: str):
    rules = parse(data, agent)
    assert rules.allows(path) in (True, False)
    assert rules.allows("/robots.txt")
    assert Rules.from_json(rules.to_json()) == rules


@given(st.text(max_size=30))
def test_the_one_spelling_is_its_own_spelling(path: str):
    assert normalise(normalise(path)) == normalise(path)
    assert normalise(path).isascii()


def _oracle(rules: Iterable[tuple[bool, str]], path: str) -> bool:
    """The standard in the fewest words: regular expressions, longest first."""
    best = (0, True)
    for allow, pattern in rules:
        body = ".*".join(re.escape(part) for part in pattern.removesuffix("$").split("*"))
        if re.match(body + (r"\Z" if pattern.endswith("$") else ""), path, re.DOTALL):
            best = max(best, (len(pattern), allow))
    return best[1]


_PIECES = st.lists(st.text("ab", max_size=2), min_size=1, max_size=4)  # with stars between: where greed goes wrong
_PATTERN = st.builds("/{}{}".format, _PIECES.map("*".join), st.sampled_from(["", "$"]))
_PATH = st.text("ab", max_size=6).map("/".__add__)


@given(st.lists(st.tuples(st.booleans(), _PATTERN), max_size=3), _PATH)
def test_it_agrees_with_regular_expressions(rules: list[tuple[bool, str]], path: str):
    text = _all(*(f"{'Allow' if allow else 'Disallow'}: {pattern}" for allow, pattern in rules))
    assert _allows(text, path) == _oracle(rules, path)


class _Counting(str):
    """A path that notes from where it is searched."""

    __slots__ = ("searched",)
    searched: list[int]

    def find(self, part: str, start: int = 0) -> int:  # type: ignore[override]
        self.searched.append(start)
        return super().find(part, start)


@pytest.mark.parametrize("end", ["", "b", "b$", "$"])
def test_a_hostile_pattern_is_searched_for_once_from_left_to_right(end: str):
    stars = 2000
    path = _Counting("/" + "a" * 8000)
    path.searched = []
    Rule(False, "/" + "a*" * stars + end).matches(path)
    assert len(path.searched) <= stars
    assert path.searched == sorted(path.searched)  # never back: each character is passed once


def test_a_hostile_line_is_read_with_one_step_a_byte():
    # Spaces without a colon: a parser that tries every split of them would not come back within the test's time.
    assert _allows(b"User-agent: *\nDisallow: /x\n" + b" " * 400_000 + b"x", "/y")
