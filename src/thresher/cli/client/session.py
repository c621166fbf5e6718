"""A command's connection to its server: the one that is there, or one for as long as the command runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from thresher.cli.client.patience import Patience
from thresher.cli.client.progress import Display, Step
from thresher.cli.client.remote import Remote
from thresher.cli.endpoint import endpoint, find_endpoint
from thresher.settings import Settings


@asynccontextmanager
async def connected(settings: Settings, display: Display) -> AsyncIterator[Remote]:
    """The server. Raises what `cli.endpoint` raises."""
    own = await find_endpoint(settings) is None
    if own:
        display.tell(f"No server runs on {settings.data_dir}: starting one for as long as this takes.")
        display.step(Step("Starting", 0, None))
    async with (
        endpoint(settings, display.tell) as found,
        Remote(found, lambda: find_endpoint(settings), Patience(settings.client_patience, display.tell)) as remote,
    ):
        yield remote
