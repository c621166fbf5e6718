"""What an item without an end waits for, from where it is. Pure."""

from typing import Any

from thresher.api.olostep.timeline import moment
from thresher.domain.states import BatchState
from thresher.storage.batches import Batch
from thresher.storage.whereabouts import Rest, Whereabouts


def waiting_for(batch: Batch, where: Whereabouts, host: str, rest: Rest | None) -> dict[str, Any]:
    """`what` in a word, `until` when at the earliest if that is known, and a sentence. `rest`: its host is left alone.

    `host` is empty for a file, which asks none.
    """
    if batch.state is BatchState.OPEN:
        return _view("start", None, f"Its batch is open. POST /v1/batches/{batch.public_id}/start lets it run.")
    if batch.state is BatchState.STOPPING:
        return _view("stop", None, "Its batch is being stopped, and it ends with it.")
    shard = where.shard
    if shard is None:
        return _view("upkeep", None, "It is in no line at the moment; the next upkeep of the server puts it into one.")
    if shard.state == "running":
        text = f"A worker has had it in hand since {shard.dispatched_at:%H:%M:%S} UTC, or others of its site."
        return _view(
            "worker", None, f"{text} It is left to its {_nth(shard.starts)} worker." if shard.starts > 1 else text
        )
    if rest is not None and rest.until > where.now:
        asked = f"{host} has asked for fewer requests" if rest.strikes else f"{host} is asked slowly, as it wants"
        return _view("host", moment(rest.until), f"{asked}, and is left alone until {rest.until:%H:%M:%S} UTC.")
    if shard.not_before > where.now:
        text = f"It is tried again at {shard.not_before:%H:%M:%S} UTC, if a worker is free."
        return _view("retry", moment(shard.not_before), text)
    if shard.state == "waiting":
        at = f" at {host}, or at a site that shares its place in the line" if host else " in its line"
        return _view("bucket", None, f"Others are before it{at}.")
    return _view("queue", None, "It is in the queue, and a worker that is free takes it in its turn.")


def _view(what: str, until: str | None, text: str) -> dict[str, Any]:
    return {"what": what, "until": until, "text": text}


def _nth(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
