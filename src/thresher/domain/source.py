"""Who made a batch: a word of the maker's own, by which its batches can be listed."""

DEFAULT = "api"
MAX = 40
RULE = f"must have 1 to {MAX} printable characters"


def is_source(text: str) -> bool:
    """Whether a text keeps the rule."""
    return 0 < len(text) <= MAX and text.isprintable()
