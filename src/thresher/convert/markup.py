"""Markdown made of plain text: fences, and text that means itself. CommonMark and its GFM tables; knows no formats."""

import re

_BACKTICKS = re.compile(r"`{3,}")
_SPECIAL = re.compile(r"[\\`*_\[\]<]")
# In a cell: the pipe, and a backslash where it would change what follows.
_CELL = re.compile(r"\\(?=[|\\<\r\n]|$)|[|<]")
MARKED = "\\|<\r\n"  # without any of these a cell means itself
_MARKED = re.compile(f"[{re.escape(MARKED)}]")
_BREAK = re.compile(r"\r\n|\r|\n")


def fenced(text: str, language: str) -> str:
    """`text` as a code block, with a fence longer than any in it (CommonMark, section 4.5)."""
    fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def plain(text: str) -> str:
    """`text` on one line, its special characters escaped."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))


def link(text: str, target: str) -> str:
    """A link; `target` is a normalised URL, so that only its parentheses need care."""
    return f"[{plain(text)}]({target.replace('(', '%28').replace(')', '%29')})"


def cell(text: str) -> str:
    """`text` as a cell of a table, on one line."""
    text = text.strip()
    if not _MARKED.search(text):  # most cells
        return text
    return _BREAK.sub("<br>", _CELL.sub(r"\\\g<0>", text))
