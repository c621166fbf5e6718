"""The database's folder: made by initdb, checked, and told who may connect. Knows nothing of running it.

Who may connect is decided by `peer`: the kernel says which OS user is at the other end of the socket, and only the one
that runs Thresher is mapped to the role. Against a password in a file: nothing to keep secret, to leak, or to lose.
"""

import os
import pwd
import secrets
import shutil
import signal
import sys
from pathlib import Path

from thresher.storage.embedded.binaries import MAJOR, OsUser
from thresher.storage.embedded.child import ended_within, kill_group, spawn
from thresher.storage.embedded.errors import EmbeddedError

ROLE = "thresher"
INITDB_SECONDS = 120.0

# What PostgreSQL needs to know of the environment; nothing of ours (keys, DATABASE_URL) is handed to it.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    # The promise is that what was answered with 200 survives a power cut.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # No replica can be attached to a socket in a private folder, so none is prepared for; backups are pg_dump's.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "autovacuum": "on",
    # Statements are short and known: compiling them costs more than it gains.
    "jit": "off",
    # The cores belong to the converters; and a container's /dev/shm is too small for parallel plans.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    # Without details: of a row that a constraint refuses that is the row, and there may be secrets in it.
    "log_error_verbosity": "terse",
}


def seen_from_inside(folder: Path) -> str:
    """How PostgreSQL, started in the folder, is told of it. On Linux by a path that the kernel resolves without a walk.

    Thus the data dir stays closed (0700) to the unprivileged user, wherever it lies, and no path is too long.
    """
    return "/proc/self/cwd" if sys.platform == "linux" else str(folder)


async def prepare(folder: Path, binaries: Path, user: OsUser, log: Path) -> None:
    """Make the database if there is none, or check that this PostgreSQL can open it. Raises EmbeddedError."""
    if not _usable(folder, user):
        await _initdb(folder, binaries, user, log)
    _allow_only_us(folder, user)


def _usable(folder: Path, user: OsUser) -> bool:
    """False if there is no database yet. Raises EmbeddedError if there is one that cannot be opened."""
    if not folder.exists():
        return False
    try:
        version = (folder / "PG_VERSION").read_text().strip()
    except OSError:
        raise EmbeddedError(f"{folder} is not a database. Move it away, or choose another --data-dir.") from None
    if version != str(MAJOR):
        raise EmbeddedError(
            f"the database in {folder} was made by PostgreSQL {version}, and this Thresher brings {MAJOR}. "
            f"Dump it with pg_dump of version {version}, start with a new --data-dir, and restore the dump there."
        )
    if folder.stat().st_uid != user.uid:
        raise EmbeddedError(
            f"the database in {folder} belongs to uid {folder.stat().st_uid}, and {user.name} was to run it. "
            "Name its owner in THRESHER_DATABASE_OS_USER."
        )
    return True


async def _initdb(folder: Path, binaries: Path, user: OsUser, log: Path) -> None:
    # Made beside and renamed: a crash in between must not leave half a database under the real name.
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if user.other:
        os.chown(draft, user.uid, user.gid)
    argv = [str(binaries / "initdb"), "--pgdata", seen_from_inside(draft), "--username", ROLE, "--encoding=UTF8"]
    argv += ["--locale=C", "--auth=peer", "--no-instructions"]
    with log.open("ab") as output:
        start = output.tell()
        process = spawn(
            argv, env=ENVIRONMENT, death_signal=signal.SIGKILL, cwd=draft, identity=user.identity, output=output
        )
    try:
        await ended_within(process, INITDB_SECONDS)
    finally:  # also of a start that was given up
        kill_group(process)
        process.wait()
    if process.returncode != 0:
        raise EmbeddedError(f"initdb could not make the database in {folder}:\n{tail(log, start)}")
    draft.rename(folder)


def _allow_only_us(folder: Path, user: OsUser) -> None:
    """Written at every start, because the user that runs Thresher may have changed."""
    us = pwd.getpwuid(os.geteuid()).pw_name.replace('"', '""')
    _write(folder / "pg_hba.conf", f"local all {ROLE} peer map=thresher\n", user)
    _write(folder / "pg_ident.conf", f'thresher "{us}" {ROLE}\n', user)


def _write(path: Path, text: str, user: OsUser) -> None:
    # A new file under an unguessable name, then a rename: as root we write into another user's folder here, and must
    # not follow a link that lies in wait.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if user.other:
            os.fchown(descriptor, user.uid, user.gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    draft.rename(path)


def tail(log: Path, start: int = 0, lines: int = 20) -> str:
    """The last lines that were written to the log after byte `start`."""
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - 16_384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
