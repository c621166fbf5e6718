"""Every script of a plain-HTTP origin; those that need TLS are made by tls.py, as they need certificates."""

from itertools import chain

from tests.origins import breaks, content, encodings, framing, heads, redirects, reuse, slow
from tests.origins.script import Script

SCRIPTS: tuple[Script, ...] = tuple(
    chain.from_iterable(theme.SCRIPTS for theme in (framing, heads, breaks, slow, redirects, encodings, content, reuse))
)
