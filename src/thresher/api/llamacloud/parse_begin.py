"""How a single parse begins: a batch of one item, a file or a URL, of which nothing but its item is shown."""

from thresher.api.llamacloud import parse_job
from thresher.api.llamacloud.files import lifetime
from thresher.api.llamacloud.parse_job import Job
from thresher.api.llamacloud.parse_request import Wanted
from thresher.api.state import State
from thresher.api.uploads import Uploaded
from thresher.domain import ids, refs, url
from thresher.storage import files, items, parses, submit
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch
from thresher.storage.database import Connection
from thresher.storage.files import File
from thresher.storage.items import Item
from thresher.storage.submit import NewBatch, NewItem

URL_ID = "source_url"  # the custom_id of an item that is no file


def of_file(file: File) -> NewItem:
    return NewItem(refs.of_file(file.id), refs.file_bucket(file.seq), str(file.id), file=file)


def of_url(source: url.Url) -> NewItem:
    return NewItem(source.href, url.bucket(source.host), URL_ID)


async def begin(connection: Connection, caller: Account, state: State, wanted: Wanted, item: NewItem) -> Job:
    """Raises Problem(credits_exhausted)."""
    settings = state.settings
    new = NewBatch(
        account=caller.id,
        face="llamacloud",
        items=[item],
        lifetime=settings.batch_timeout,
        shard_size=settings.shard_size,
        options=wanted.parse.options,
        metadata=wanted.metadata,
        webhook=wanted.webhook,
        public_id=ids.prefixed(parses.KIND),
    )
    batch = await submit.create(connection, new)
    made = await items.get(connection, batch, 0)
    assert made is not None  # noqa: S101 - it was written a moment ago
    return single(state, batch, made)


async def of_upload(caller: Account, state: State, wanted: Wanted, upload: Uploaded) -> Job:
    """A parse of a file that has just come in, which becomes one of the account's; neither without the other."""
    async with state.submitting(caller) as connection, connection.transaction():
        file = await files.create(connection, upload.received, upload.name, "parse", expires=lifetime(state))
        return await begin(connection, caller, state, wanted, of_file(file))


def single(state: State, batch: Batch, item: Item) -> Job:
    """The job that a batch of one is, as its counters tell."""
    status = parse_job.status_of(batch, item, in_hand=batch.processing > 0)
    return Job(ids.parse_job_id(state.secret, batch.id, item.ord), batch, item, status)
