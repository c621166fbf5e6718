"""The body of a batch job, checked for what no model finds, and made what the storage begins with."""

import re
from collections.abc import Sequence

from thresher.api import receivers
from thresher.api.llamacloud.directories import key_of
from thresher.api.llamacloud.errors import invalid
from thresher.api.llamacloud.job_schemas import NewBatchJob, ParseConfig
from thresher.domain.parse import ParseJob, without_secrets
from thresher.domain.problem import Problem, ProblemCode
from thresher.settings import Settings
from thresher.storage import jobs
from thresher.storage.accounts import Account
from thresher.storage.jobs import ItemId

Place = tuple[str | int, ...]  # in a JSON value

_CONFIG = ("body", "job_config")
_HOOKS: tuple[Place, ...] = (
    ("webhook_url",),
    ("parameters", "webhook_url"),
    ("parameters", "webhook_configurations", 0, "webhook_url"),
)
NAMED = 5  # unknown items that a refusal names


def read_job(asked: NewBatchJob, caller: Account, settings: Settings) -> jobs.NewJob:
    """Raises RequestValidationError; Problem: validation_error, directory_not_found, file_not_found."""
    if asked.job_config.rules is not None:
        raise _refused("job_config: jobs of classification are not supported by this server, only parse jobs are.")
    if (asked.directory_id is None) == (asked.item_ids is None):
        raise _refused("Either directory_id or item_ids must be provided, and not both.")
    parse = _parse_job(asked.job_config)
    config = asked.job_config.model_dump(exclude_unset=True, exclude={"parameters", "rules"})
    return jobs.NewJob(
        account=caller.id,
        kind="bjb-",
        options={**parse.options, "job_config": without_secrets(config)},
        directory=key_of(asked.directory_id) if asked.directory_id is not None else None,
        items=_items(asked.item_ids or [], settings),
        webhook=receiver(asked.job_config.model_dump(), _HOOKS, settings, *_CONFIG),
        limit=settings.max_batch_items,
        lifetime=settings.batch_timeout,
        shard_size=settings.shard_size,
    )


def _parse_job(config: ParseConfig) -> ParseJob:
    try:
        return ParseJob.asked(config.parameters or {})
    except ValueError as error:
        named = re.match(r"\w+", str(error))
        raise invalid(*_CONFIG, "parameters", *([named[0]] if named else []), msg=str(error)) from None


def _items(names: list[str], settings: Settings) -> list[ItemId]:
    """Each once, in the order in which they are named first."""
    if len(names) > settings.max_items:
        raise invalid("body", "item_ids", msg=f"{len(names)} items; the limit of one request is {settings.max_items}")
    found = {name: ItemId.read(name) for name in names}
    if wrong := [name for name, item in found.items() if item is None]:
        raise unknown_items(wrong)
    return list({item.text: item for item in found.values() if item}.values())


def unknown_items(names: Sequence[str]) -> Problem:
    """The refusal that names the first few."""
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    named = ", ".join(name[:60] for name in names[:NAMED])
    return Problem(ProblemCode.FILE_NOT_FOUND, f"There is no such file, or no more: {named}{more}.")


def receiver(asked: object, places: Sequence[Place], settings: Settings, *loc: str) -> str | None:
    """The one receiver of the batch: the first that stands at one of these places of what is asked, which is at `loc` itself."""
    for place in places:
        value = _at(asked, place)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise invalid(*loc, *place, msg="must be a string")
        if fault := receivers.fault(value, settings):
            raise invalid(*loc, *place, msg=fault[0], kind=fault[1])
        return value
    return None


def _at(value: object, place: Place) -> object:
    """What is at a place in a JSON value, None for nothing."""
    for part in place:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.VALIDATION_ERROR, detail)
