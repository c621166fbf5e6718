"""The exceptions of this package. Their text is written for the operator: what is wrong, then what to do."""


class EmbeddedError(Exception):
    """The embedded PostgreSQL, or the data dir, cannot be used. `str()` is a sentence to show as it is."""


class DataDirInUse(EmbeddedError):
    """Another process holds the data dir."""
