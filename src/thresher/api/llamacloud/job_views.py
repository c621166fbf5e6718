"""Batch jobs and their items as replies."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from thresher.api.llamacloud.parse_job import error_message
from thresher.domain import ids
from thresher.domain.documents import ERROR_CODES
from thresher.domain.failure import FAILURES, FailureCode
from thresher.domain.parse import ParseJob
from thresher.domain.states import ItemState, ItemStatus, JobStatus, SkipReason
from thresher.storage.accounts import Account
from thresher.storage.batches import Batch
from thresher.storage.items import Item
from thresher.storage.job_items import Standing


def status_of(batch: Batch) -> JobStatus:
    return JobStatus.of(batch.state, batch.outcome, begun=batch.begun_at is not None)


def processed(batch: Batch) -> int:
    """How many of its items were worked at to their end."""
    return batch.completed + batch.failed + batch.skipped


def job_view(batch: Batch, caller: Account) -> dict[str, Any]:
    status = status_of(batch)
    return {
        "id": batch.public_id,
        "status": status,
        "job_type": "parse",
        "project_id": str(caller.project),
        "directory_id": f"dir-{batch.directory_id}" if batch.directory_id else None,
        "total_items": batch.total,
        "processed_items": processed(batch),
        "failed_items": batch.failed,
        "skipped_items": batch.skipped,
        "workflow_id": batch.public_id,
        "job_record_id": batch.public_id.partition("-")[2],
        "error_message": _why(batch, status),
        "effective_at": _since(batch, status),
        "created_at": batch.created_at,
        "updated_at": updated_at(batch),
        "started_at": batch.begun_at,
        "completed_at": batch.finished_at,
    }


def updated_at(batch: Batch) -> datetime:
    moments = (batch.created_at, batch.begun_at, batch.moved_at, batch.stopped_at, batch.finished_at)
    return max(moment for moment in moments if moment)


def _since(batch: Batch, status: JobStatus) -> datetime:
    match status:
        case JobStatus.PENDING:
            return batch.created_at
        case JobStatus.RUNNING:
            return batch.begun_at or batch.created_at
    return batch.stopped_at or batch.finished_at or batch.created_at


def _why(batch: Batch, status: JobStatus) -> str | None:
    if status is JobStatus.FAILED:
        return f"{ERROR_CODES[FailureCode.DEADLINE]}: {FAILURES[FailureCode.DEADLINE].meaning}"
    reason: str | None = batch.options.get("cancel_reason")
    return reason if status is JobStatus.CANCELLED else None


def status_view(batch: Batch, caller: Account) -> dict[str, Any]:
    share = processed(batch) / batch.total if batch.total else 1.0
    return {"job": job_view(batch, caller), "progress_percentage": round(100 * share, 2)}


def item_view(secret: bytes, batch: Batch, standing: Standing) -> dict[str, Any]:
    item, status = standing.item, standing.status
    ended = item.finished_at if status not in (ItemStatus.PENDING, ItemStatus.PROCESSING) else None
    return {
        "item_id": item.custom_id,
        "item_name": item.name or item.ref,
        "status": status,
        "job_id": (job_id := job_id_of(secret, item)),
        "job_record_id": _record_id(job_id, item),
        "error_message": error_message(item) if status is ItemStatus.FAILED else None,
        "skip_reason": item.detail if item.state is ItemState.SKIPPED else None,
        "effective_at": ended or standing.since or batch.created_at,
        "started_at": item.attempts[0].get("at") if item.attempts else standing.since,
        "completed_at": ended,
    }


def job_id_of(secret: bytes, item: Item) -> str | None:
    """By which its result is read; of one that was processed already, that of the item that has it."""
    if item.state is ItemState.SKIPPED:
        return (
            ids.parse_job_id(secret, *item.body) if item.body and item.detail == SkipReason.ALREADY_PROCESSED else None
        )
    return ids.parse_job_id(secret, item.batch, item.ord)


def _record_id(job_id: str | None, item: Item) -> str | None:
    """One for each attempt: the latest's."""
    if job_id is None or not item.attempts:
        return None
    return str(uuid5(UUID(job_id.partition("-")[2]), str(len(item.attempts))))


def result_view(secret: bytes, base: str, batch: Batch, item: Item) -> dict[str, Any]:
    asked, job_id = ParseJob.of(batch.options), ids.parse_job_id(secret, batch.id, item.ord)
    return {
        "result_id": job_id,
        "item_id": item.custom_id,
        "job_type": "parse",
        "job_config": config_view(batch.options, asked),
        "parameters_hash": asked.hash,
        "output_s3_path": f"{base}/api/v2/parse/{job_id}?expand=markdown",
        "output_metadata": None,
        "processed_at": item.finished_at,
    }


def config_view(options: Mapping[str, Any], asked: ParseJob) -> dict[str, Any]:
    """What was asked for, but for secrets."""
    return {"job_name": "parse_raw_file_job", **options.get("job_config", {}), "parameters": asked.parameters}
