"""What a database needs before anything runs on it: its schema, and a first API key."""

from thresher.storage.accounts import bootstrap
from thresher.storage.migrations import migrate


async def prepare_database(database_url: str, key: str | None) -> str | None:
    """Bring the schema up to date and see to it that an API key exists. Returns a newly made key, to be shown once."""
    await migrate(database_url)
    return await bootstrap(database_url, key)
