"""The words of the batch commands."""

DEFAULT_FORMATS = ("markdown", "links")  # in every line
MORE_FORMATS = ("html", "text", "json", "pages")
STATUSES = ("completed", "failed", "skipped", "cancelled")
