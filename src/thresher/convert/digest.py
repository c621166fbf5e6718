"""What is compared of two results: a digest of the markdown and, of a page that a parser has read, one of what that made.

1 byte    which content the markdown is made of: P, all of the page, or M, its main content
16 bytes  BLAKE2b of the markdown in UTF-8
4 bytes   BLAKE2b of which parser it was: results of different ones are not compared
16 bytes  BLAKE2b of the parser's JSON
"""

from dataclasses import asdict, replace
from hashlib import blake2b

import orjson

from thresher.convert.document import Document, How
from thresher.domain import parsers
from thresher.domain.choices import Content

_SIZE, _TAG = 16, 4
_KINDS = {Content.PAGE: b"P", Content.MAIN: b"M"}


def digest(document: Document, how: How) -> bytes:
    """17 bytes, or 37 if a parser made something of the page."""
    markdown = _KINDS[Content(how.content)] + blake2b(document.markdown.encode(), digest_size=_SIZE).digest()
    if how.parser is None or not isinstance(document.parsed, bytes):
        return markdown
    known = parsers.find(how.parser)
    # All that there is to know of the parser: two of one name may do different things.
    which = asdict(replace(how, parser=known.id if known else how.parser, content=Content.PAGE))
    tag = blake2b(orjson.dumps(which, option=orjson.OPT_SORT_KEYS), digest_size=_TAG).digest()
    return markdown + tag + blake2b(document.parsed, digest_size=_SIZE).digest()
