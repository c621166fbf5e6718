"""A file of a directory: how it looks in all answers, how its id is read, and what cannot be done with it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from thresher.api.llamacloud.directories import not_found
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage.accounts import Account
from thresher.storage.directory_files import DirectoryFile, NoDirectory, NoFile, Taken

_SHOWN = 5  # ids that a refusal names


@contextmanager
def refused() -> Iterator[None]:
    """What cannot be done to a directory, as the problem that it is for the caller."""
    try:
        yield
    except NoDirectory:
        raise not_found() from None
    except NoFile:
        raise Problem(ProblemCode.FILE_NOT_FOUND, "File not found") from None
    except Taken as taken:
        detail = f"The directory has a file with the unique_id {taken.unique_id[:200]!r} already: dfl-{taken.holder}."
        raise Problem(ProblemCode.UNIQUE_ID_TAKEN, detail) from None


def file_key(public_id: str) -> UUID:
    """Raises Problem(directory_not_found) for what can be no such id."""
    key = ids.unprefixed("dfl", public_id)
    if key is None:
        raise not_there([public_id])
    return key


def not_there(named: Sequence[str]) -> Problem:
    """The directory has not these files."""
    if len(named) == 1:
        return Problem(ProblemCode.DIRECTORY_NOT_FOUND, "File not found in this directory")
    shown = ", ".join(text[:40] for text in named[:_SHOWN])
    return Problem(ProblemCode.DIRECTORY_NOT_FOUND, f"{len(named)} files not found in this directory: {shown}")


def view(caller: Account, file: DirectoryFile, download: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A file of a directory as all answers have it."""
    return {
        "id": f"dfl-{file.id}",
        "directory_id": f"dir-{file.directory_id}",
        "project_id": str(caller.project),
        "file_id": None if file.file_id is None else str(file.file_id),
        "display_name": file.display_name,
        "unique_id": file.unique_id,
        "metadata": file.metadata,
        "created_at": file.created_at,
        "updated_at": file.updated_at,
        "deleted_at": file.deleted_at,
        "download_url": download,
    }
