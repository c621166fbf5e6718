"""POST /v1/batches?dry_run=true: what would become of a create. It writes nothing, and takes no lock."""

import asyncio
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, replace
from math import ceil

from starlette.responses import Response

from thresher.api.olostep.file_choice import with_files
from thresher.api.olostep.foretold import Asked, Met, tell
from thresher.api.olostep.lookup import find_earlier
from thresher.api.olostep.parser_choice import resolve
from thresher.api.olostep.refusals import Refusals
from thresher.api.olostep.requests import CreateBatch, read_create
from thresher.api.reply import json_reply
from thresher.api.state import IN_A_THREAD, State
from thresher.domain import refs, robots
from thresher.domain.choices import Choices, RobotsMode
from thresher.domain.forecast import sites_of
from thresher.settings import Settings
from thresher.storage import ledger, outlook
from thresher.storage.accounts import Account
from thresher.storage.database import Connection

MEASURE = 100  # items of a batch that is a measure of the pace; for one that is small, half as many as it has


async def forecast(state: State, caller: Account, body: bytes) -> Response:
    """The answer to a create that is not to be made. Raises the problems of one, but for those of single items and of credits."""
    async with state.large_forecasts if len(body) > IN_A_THREAD else nullcontext():
        right = await state.parse(read_forecast, body)
        async with state.connection() as connection:
            right = await right.looked_up(connection, caller.id)
        asked = await asyncio.to_thread(right.asked)
        met = await _look(state, caller, asked)
        return json_reply(await asyncio.to_thread(tell, asked, met, state.settings))


@dataclass(frozen=True, slots=True)
class Right:
    """What of a create request is right by itself: items at these positions of the body; and what is refused."""

    wanted: CreateBatch
    positions: list[int]
    refusals: Refusals

    async def looked_up(self, connection: Connection, account: int) -> "Right":
        """With the files that its items are. Those whose file or parser there is not are refused.

        Raises Problem(validation_error) for the parser of the batch.
        """
        wanted, places = self.wanted, [("items", index) for index in self.positions]
        await resolve(connection, account, wanted.options, wanted.items, places, self.refusals)
        found = await with_files(connection, account, wanted.items, places, self.refusals)
        return replace(self, wanted=replace(wanted, items=found))

    def asked(self) -> Asked:
        """What is left, by its sites; and the files among it."""
        refused = self.refusals.indexes
        left = [one for one in zip(self.positions, self.wanted.items, strict=True) if one[0] not in refused]
        choices = Choices.of(self.wanted.options, self.wanted.headers)
        sites = sites_of(
            (position, item.ref, choices.over(item.options, item.headers).request)
            for position, item in left
            if not refs.is_file(item.ref)
        )
        files = [(position, item.file) for position, item in left if item.file]
        wanted = replace(self.wanted, items=[item for _, item in left])
        return Asked(wanted, self.refusals, sites, files, choices.robots)


def read_forecast(body: bytes, settings: Settings) -> Right:
    """Parse and check a create request, as far as it is right."""
    refusals = Refusals()
    wanted = read_create(body, settings, refusals)
    positions = [index for index in range(len(refusals.entries)) if index not in refusals.indexes]
    return Right(wanted, positions, refusals)


async def _look(state: State, caller: Account, asked: Asked) -> Met:
    """All that the database knows, as of one instant."""
    settings, items = state.settings, asked.wanted.items
    hosts = list({site.host for site in asked.sites})
    pages = {site.origin: len(site.pages) for site in asked.sites} if asked.robots is not RobotsMode.IGNORE else {}
    shards = sum(ceil(count / settings.shard_size) for count in Counter(item.bucket for item in items).values())
    async with state.snapshot() as connection:
        await find_earlier(connection, caller, asked.wanted.compare_with)  # refuses it, as for a create
        return Met(
            await ledger.statement(connection, caller.id),
            await outlook.waits(connection, hosts),
            await outlook.rules(connection, pages, robots.product_token(settings.user_agent)),
            await outlook.queue(connection, caller.id, shards, hosts),
            await outlook.measured(connection, caller.id, max(1, min(MEASURE, len(items) // 2))),
        )
