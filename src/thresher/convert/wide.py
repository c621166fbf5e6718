"""UTF-16 that says so nowhere: told from other text, and from binary data, by what its units would be as characters.

Pure; looks at the first bytes only.
"""

import re
import unicodedata

_HEAD = 2048  # bytes
# Control bytes that no text has in any other charset (the "binary data bytes" of WHATWG MIME Sniffing).
_CONTROLS = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0C, 0x0D, 0x1B})
# What nearly every text has somewhere, and what the same bytes in the other order almost never are.
_COMMON = re.compile(r"[\t\n\r\x20-\x7e\u3000-\u3002\uff01-\uff1f]")
# Controls (but for white space), surrogates, private use, not assigned.
_NEVER = frozenset({"Cc", "Cs", "Co", "Cn"})


def controls(head: bytes) -> int:
    """How many control bytes `head` has that no text has."""
    return len(head) - len(head.translate(None, _CONTROLS))


def detect(data: bytes) -> str | None:
    """`utf-16le` or `utf-16be`, if `data` is plainly that and has no byte order mark; else None."""
    head = data[:_HEAD]
    if len(data) % 2 or not controls(head):
        return None
    scores = {name: _score(head, codec) for name, codec in (("utf-16le", "utf-16-le"), ("utf-16be", "utf-16-be"))}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > min(scores.values()) else None


def _score(head: bytes, codec: str) -> int:
    """How many common characters the bytes are under `codec`; 0 if one of them is in no text."""
    # The cut may have gone through a pair of surrogates.
    text = head.decode(codec, "replace").removesuffix("\ufffd")
    common = len(_COMMON.findall(text))
    if not common or "\ufffd" in text:
        return 0
    doubtful = (character for character in text if character not in "\t\n\r\f")
    return 0 if any(unicodedata.category(character) in _NEVER for character in doubtful) else common
