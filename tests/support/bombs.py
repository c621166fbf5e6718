"""Pages made to break a converter: by nesting, by misnesting, by size, by number, by what they grow into.

Each maker takes a size and gives a body of about so many bytes. What they are served as, and what comes of them, is
the tests' business.
"""

from collections.abc import Callable


def _repeat(unit: str, prefix: str = "", suffix: str = "") -> Callable[[int], bytes]:
    return lambda size: (prefix + unit * max(1, size // len(unit)) + suffix).encode()


def _number(unit: str, prefix: str = "", suffix: str = "") -> Callable[[int], bytes]:
    """The unit with a number in it that is another each time."""
    return lambda size: (prefix + "".join(unit % n for n in range(max(1, size // (len(unit) + 5)))) + suffix).encode()


def _reconstructed(size: int) -> bytes:
    """Formatting elements that were closed with their paragraph: each new paragraph opens all of them again."""
    half = size // 2
    return b"<p>" + b"".join(b"<b id=%d>" % n for n in range(half // 14)) + b"</p>" + b"<p>x</p>" * max(1, half // 8)


def _adopted(size: int) -> bytes:
    """Misnested ends, for each of which the tree is rebuilt."""
    pairs = max(1, size // 24)
    return b"<a><b><i><p>" * (pairs // 2) + b"</a></b></i>" * pairs


def _table_of_text(size: int) -> bytes:
    """A table in which one wide cell stands above very many narrow ones: a renderer that pads would multiply them."""
    return b"<table><tr><td>" + b"w" * (size // 2) + b"</td></tr>" + b"<tr><td>x" * (size // 18) + b"</table>"


HTML: dict[str, Callable[[int], bytes]] = {
    # nested
    **{
        f"nested {name}": _repeat(unit)
        for name, unit in {
            "div": "<div>", "b": "<b>", "span": "<span>", "blockquote": "<blockquote>x", "ul": "<ul><li>x",
            "ol": "<ol><li>x", "dl": "<dl><dd>x", "table": "<table><tr><td>", "bare table": "<table>",
            "select": "<select><option>", "template": "<template>", "svg": "<svg><g>",
            "math": "<math><mi><svg><foreignObject>", "button": "<button>", "form": "<form><fieldset>",
            "pre": "<pre>x", "em": "<em>x", "code": "<code>x", "heading": "<h1>x", "details": "<details><summary>x",
            "object": "<object>", "iframe": "<iframe>", "frameset": "<frameset>", "ruby": "<ruby><rt>x",
        }.items()
    },
    "nested and closed": lambda size: b"<div>" * (size // 11) + b"x" + b"</div>" * (size // 11),
    "nested with attributes": _number("<font color=%d>"),
    # misnested
    "adopted": _adopted,
    "reconstructed": _reconstructed,
    "paragraphs in bold": _repeat("<b><p>"),
    "links in links": _repeat("<a href=x><div>"),
    "fostered": _repeat("<table><b>x", suffix="</b>"),
    "ends only": _repeat("</p></br></b></div>"),
    # of one size
    "one text": _repeat("grain "),
    "one word": _repeat("x"),
    "one line of asterisks": _repeat("*"),
    "markdown to be escaped": _repeat("*_`[]()#\\<>|~"),
    "backticks in code": _repeat("`", "<pre><code>", "</code></pre>"),
    "one attribute": _repeat("x", '<p title="', '">x'),
    "one tag name": _repeat("x", "<"),
    "one comment": _repeat("-", "<!--"),
    "one script": _repeat("<!--<script>", "<script>"),
    "one title": _repeat("x ", "<title>"),
    "one doctype": _repeat("x", "<!doctype html "),
    "one link target": _repeat("../", '<a href="', '">x</a>'),
    "one host": _repeat("x.", '<a href="http://', '/">x</a>'),
    "white space": _repeat(" \t\n", "<p>x", "x"),
    "white space in code": _repeat(" \n", "<pre>", "x</pre>"),
    "line breaks": _repeat("<br>"),
    "rules": _repeat("<hr>"),
    "NULs": _repeat("\0"),
    "no-break spaces": _repeat("&nbsp;"),
    "combining marks": lambda size: ("<p>e" + "\u0301" * (size // 2)).encode(),
    # of one number
    "ampersands": _repeat("&"),
    "entities": _repeat("&CounterClockwiseContourIntegral;"),
    "unknown entities": _repeat("&notanentityatall"),
    "numeric entities": _repeat("&#x10FFFF;"),
    "short comments": _repeat("<!-->"),
    "attributes": _number("a%d=x ", "<p ", ">x"),
    "the same attribute": _repeat("a ", "<p ", ">x"),
    "classes": _number("c%d ", '<p class="', '">x'),
    "empty elements": _repeat("<i></i>"),
    "images": _number("<img src=/%d alt=x>"),
    "links": _number('<a href="/%d">x</a>'),
    "links to be joined": _number('<a href="../%d/./ /">x</a>'),
    "the same link": _repeat('<a href="/">x</a>'),
    "links of one fragment": _number('<a href="#%d">x</a>'),
    "bases": _number('<base href="/%d/">', suffix="<a href=x>x</a>"),
    "metas": _number('<meta property="og:x%d" content="x">'),
    "the same meta": _repeat('<meta name="description" content="x">'),
    "long metas": lambda size: b"".join(
        b'<meta property="og:x%d" content="%b">' % (n, b"\x01" * 10_000) for n in range(max(1, size // 10_000))
    ),
    "titles": _repeat("<title>x</title>"),
    "titles of pictures": _repeat("<svg><title>x</title></svg>"),
    "hidden": _repeat("<p hidden>x"),
    "options": _repeat("<select><option>x</select>"),
    "rows": _repeat("<tr><td>x", "<table>"),
    "columns": _repeat("<td>x", "<table><tr>"),
    "spans of columns": _repeat("<td colspan=1000 rowspan=65534>x", "<table><tr>"),
    "a wide cell above narrow ones": _table_of_text,
    "triangle of a table": lambda size: b"<table>"
    + b"".join(b"<tr>" + b"<td>x" * n for n in range(max(1, int((2 * size / 5) ** 0.5)))),
    "list items": _repeat("<li>x"),
    "items of a far number": _repeat("<li>x", "<ol start=2147483647>"),
    "forms": _repeat("<form action=/login><input type=password></form>"),
    "scripts": _repeat("<script>x</script>"),
    # structured data
    "nested JSON-LD": _repeat("[", '<script type="application/ld+json">', "</script>"),
    "JSON-LD of many nodes": _repeat('{"author":"x"},', '<script type="application/ld+json">[', "{}]</script>"),
    "JSON-LD blocks": _repeat('<script type="application/ld+json">{"author":[[]]}</script>'),
    # prescan and detection
    "declarations": _repeat("<meta charset=x"),
    "half a declaration": _repeat("<meta charset"),
    "charset words": _repeat("<meta http-equiv=content-type content=charset"),
    "every byte": lambda size: bytes(range(256)) * (size // 256),
    "high bytes": lambda size: b"<p>" + b"\xff\xfe\x81\x30" * (size // 4),
    "escapes of ISO-2022-JP": lambda size: b"<p>" + b"\x1b$B" * (size // 3),
    "wide": lambda size: ("<p>x" * (size // 8)).encode("utf-16le"),
    "challenge words": _repeat("just a moment... checking your browser "),
    "login words": _repeat("please sign in to "),
    "separators": _repeat(" | - : ", "<title>", "</title>"),
}  # fmt: skip
OTHERS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "nested arrays": ("application/json", _repeat("[")),
    "nested and closed arrays": ("application/json", lambda size: b"[" * (size // 2) + b"]" * (size // 2)),
    "nested objects": ("application/json", _repeat('{"a":')),
    "one number": ("application/json", _repeat("9")),
    "one string": ("application/json", _repeat("x", '"', '"')),
    "many keys": ("application/json", _number('"k%d":0,', "{", '"":0}')),
    "many numbers": ("application/json", _repeat("0,", "[", "0]")),
    "lines of JSON": ("application/x-ndjson", _repeat("{}\n")),
    "nested XML": ("application/xml", _repeat("<a>", '<?xml version="1.0"?>')),
    "XML attributes": ("application/xml", _number('a%d="x" ', '<?xml version="1.0"?><a ', "/>")),
    "billion laughs": (
        "application/xml",
        lambda size: b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "ha">'
        + b"".join(b'<!ENTITY l%d "%b">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))
        + b"]><l>&l11;</l>",
    ),
    "quadratic entities": (
        "application/xml",
        lambda size: b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "%b">]><l>%b</l>'
        % (b"x" * (size // 2), b"&a;" * (size // 6)),
    ),
    "an entity from a file": (
        "application/xml",
        lambda size: b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>',
    ),
    "processing instructions": ("application/xml", _repeat("<?x?>", '<?xml version="1.0"?>', "<a/>")),
    "items of a feed": (
        "application/rss+xml",
        _repeat("<item><title>x</title></item>", "<rss><channel>", "</channel></rss>"),
    ),
    "entries of a feed": ("application/atom+xml", _repeat("<entry>", '<feed xmlns="http://www.w3.org/2005/Atom">')),
    "columns of CSV": ("text/csv", _repeat("x,")),
    "rows of CSV": ("text/csv", _repeat("x\n")),
    "triangle of CSV": (
        "text/csv",
        lambda size: b"".join(b"x," * n + b"\n" for n in range(max(1, int(size**0.5)))),
    ),
    "one quoted cell": ("text/csv", _repeat('""', '"')),
    "quotes": ("text/csv", _repeat('"')),
    "pipes in cells": ("text/csv", _repeat("|,|\n")),
    "backticks": ("text/plain", _repeat("`")),
    "binary as text": ("text/plain", lambda size: bytes(range(32, 256)) * (size // 224)),
    "a rectangle of backticks": ("application/json", _repeat("``` ")),
    "nothing declared": ("", _repeat("<")),
}  # fmt: skip
