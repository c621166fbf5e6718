"""What a process would die of over and over, looked at once before it starts.

A worker that dies of a setting would be restarted for ever, beside an API that takes batches which nobody begins.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from thresher.cli.errors import CommandError, ExitCode
from thresher.settings import Settings
from thresher.storage import accounts, database


def check_fetching(settings: Settings) -> None:
    """Raises CommandError, with exit code 2, naming the setting that no page could be fetched with."""
    # Here, because the public suffix list that they bring along is of no use to the commands that ask for a database.
    from thresher.domain.address import AllowList
    from thresher.domain.routes import Routes
    from thresher.net.guard import Guard
    from thresher.net.proxies import pools

    with _named("THRESHER_FETCH_ALLOW"):
        AllowList(settings.fetch_allow)
    with _named("THRESHER_WEBHOOK_ALLOW"):
        AllowList(settings.webhook_allow)
    with _named("THRESHER_CONNECT_TO"):
        Routes(settings.connect_to)
    with _named("THRESHER_NAT64_PREFIXES"):
        Guard((), settings.nat64_prefixes)
    with _named("THRESHER_PROXIES"):
        pools(settings.proxies)
    if settings.extra_ca is not None:
        with _named(f"THRESHER_EXTRA_CA = {settings.extra_ca}, a file of PEM certificates"):
            ssl.create_default_context(cafile=settings.extra_ca)


async def check_migrated(database_url: str) -> None:
    """Raises CommandError if the database has no schema yet, DatabaseUnavailable if there is no database."""
    connection = await database.connect(database_url, "thresher preflight")
    try:
        await accounts.secret(connection, "retrieve_id")
    except asyncpg.UndefinedTableError as error:
        raise CommandError("the database has no tables of Thresher: run `thresher migrate`") from error
    finally:
        await connection.close()


@contextmanager
def _named(setting: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:  # OSError: also ssl.SSLError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CommandError(f"these settings are wrong:\n  {setting}: {reason}", code=ExitCode.USAGE) from error
