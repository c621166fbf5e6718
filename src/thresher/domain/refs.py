"""What an item refers to, as it is stored and shown: a URL as it was sent, or `file:` and the id of a file."""

from uuid import UUID

from thresher.domain import url

_FILE = "file:"  # no URL that is taken begins so


def of_file(file: UUID) -> str:
    """What refers to a file."""
    return f"{_FILE}{file}"


def is_file(ref: str) -> bool:
    """Whether this refers to a file and not to a URL."""
    return ref.startswith(_FILE)


def file_of(ref: str) -> UUID:
    """The id of the file that this refers to."""
    return UUID(ref.removeprefix(_FILE))


def file_bucket(nth: int) -> int:
    """The bucket of the nth file among others: one of those that ask no host, another for the next, so that workers share them."""
    return url.BUCKETS + nth % url.STORE_BUCKETS


def identity(ref: str) -> str:
    """What is equal of equal refs: a URL as a browser reads it, a file by its id."""
    return ref if is_file(ref) else url.parse(ref).href
