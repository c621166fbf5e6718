"""What became of an item since an earlier batch. Pure; the rows are compared in storage/changes.py.

                now:  not in the batch   no result   a result
before:
not in the batch            -               new        new
no result                  gone            failed      recovered
a result                   gone            lost        same, changed, unknown
"""

from collections.abc import Mapping
from enum import StrEnum


class Change(StrEnum):
    """Of a custom_id in two batches. An item that failed or was cancelled has no result; one that was skipped has that of

    another item, if it says of which.
    """

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    GONE = "gone"
    RECOVERED = "recovered"
    LOST = "lost"
    FAILED = "failed"
    UNKNOWN = "unknown"  # the results are of different kinds, or one is from before results were compared


# Of these a webhook that wants only changes is not told: what could not be had before either is no news.
NO_NEWS = frozenset({Change.SAME, Change.FAILED})


def is_news(counts: Mapping[str, int]) -> bool:
    """Whether something is different, by how many items became what."""
    return any(count for change, count in counts.items() if change not in NO_NEWS)
