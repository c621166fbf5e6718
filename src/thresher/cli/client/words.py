"""The words of the batch commands."""

DEFAULT_FORMATS = ("markdown", "links")  # in every line
MORE_FORMATS = ("html", "text", "json")
STATUSES = ("completed", "failed", "skipped", "cancelled")
