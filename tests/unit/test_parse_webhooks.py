"""Events of batches of the parse API, as its receivers know them."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest

from thresher.domain import ids, webhook
from thresher.domain.states import Outcome
from thresher.domain.webhook import EventType

ENDS = {
    Outcome.ALL_OK: "batch.success",
    Outcome.PARTIAL: "batch.success",
    Outcome.ALL_FAILED: "batch.success",
    Outcome.CANCELLED: "batch.cancelled",
    Outcome.EXPIRED: "batch.error",
}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def body(batch: str, outcome: Outcome) -> dict[str, Any]:
    counts = {"total": 2, "completed": 1, "failed": 1, "skipped": 0, "cancelled": 0}
    return {"id": batch, "outcome": outcome, **counts, "created_at": NOW.isoformat(), "finished_at": NOW.isoformat()}


@pytest.mark.parametrize("outcome", Outcome)
def test_the_end_of_a_batch_of_the_parse_api_is_called_as_that_api_calls_it(outcome: Outcome) -> None:
    told = webhook.envelope("event_1", EventType.COMPLETED, body(ids.prefixed("bjb"), outcome), NOW, "1/5")
    assert (told["event_type"], told["object"]) == (ENDS[outcome], "event.batch.completed")
    assert "event_type" not in webhook.envelope("e", EventType.COMPLETED, body(ids.batch_id(), outcome), NOW, "1/5")


def test_it_is_signed_by_the_current_secret_as_it_is_shown_and_no_other_event_is() -> None:
    current, retired = webhook.new_secret(), webhook.new_secret()
    posted = b'{"id": "event_1"}'
    content = body(ids.prefixed("bat"), Outcome.ALL_OK)
    expected = hmac.new(webhook.spelled(current).encode(), posted, hashlib.sha256).hexdigest()
    found = webhook.parse_api_headers(content, posted, [current, retired])
    assert found == {"LC-Signature": f"sha256={expected}"}
    for other in ({"id": ids.batch_id()}, {"message": "a test"}):
        assert webhook.parse_api_headers(other, posted, [current]) == {}
