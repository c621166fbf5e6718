"""The one exception of this package. Its text is written for the operator: what is wrong, then what to do."""


class EmbeddedError(Exception):
    """The embedded PostgreSQL, or the data dir, cannot be used. `str()` is a sentence to show as it is."""
