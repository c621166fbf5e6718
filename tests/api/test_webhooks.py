"""Webhooks over the API: which receivers are taken, what was sent to them, and sending it again. Delivering: tests/engine."""

import base64
import time
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from tests.api.conftest import Api, running, settings_for
from tests.api.worker import Worker

from thresher.domain import webhook
from thresher.domain.webhook import EventState
from thresher.storage import outbox, signing
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.outbox import Attempt, Outgoing

PRIVATE = (
    "http://127.0.0.1/",
    "http://10.0.0.1:8080/x",
    "https://169.254.169.254/latest/meta-data",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://localhost/",
    "https://api.localhost:8443/",
)
REFUSED = (
    *((url, "private address") for url in PRIVATE),
    ("ftp://hooks.example/", "http or https"),
    ("hooks.example", "absolute URL"),
    ("https://u:p@hooks.example/", "user name"),
    ("https://hooks.example:25/", "port 25"),
    (17, "a string"),
)


async def refused(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.client.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error"), answer.text
    problem: dict[str, Any] = answer.json()
    return problem


async def fail(pool: Pool, most: int = 10) -> list[Outgoing]:
    """What a courier does whose receivers have all gone away for good."""
    async with pool.acquire() as connection:
        events = await outbox.claim(connection, [], most, timedelta(minutes=1))
        for event in events:
            now = await connection.fetchval("SELECT now()")
            attempt = Attempt("1/1", now, 12, None, None, "connect_refused", "Nobody listens.")
            await outbox.record(connection, event, attempt, EventState.GIVEN_UP, 0.0)
    return events


async def test_receivers_that_are_no_public_address_are_refused_at_submit_unless_they_are_allowed(
    api: Api, database_url: str
) -> None:
    items = {"items": [{"url": "https://a.example/"}]}
    for url, why in REFUSED:
        for problem in (
            await refused(api, "/v1/batches", {**items, "webhook": url}),
            await refused(api, "/v1/webhooks/test", {"webhook": url}),
        ):
            assert problem["errors"][0]["loc"] == ["body", "webhook"]
            assert why in problem["detail"], url
    assert "THRESHER_WEBHOOK_ALLOW" in (await refused(api, "/v1/webhooks/test", {"webhook": PRIVATE[0]}))["detail"]
    for body in ({}, {"webhook": None}, {"webhook": ""}):
        assert "required" in (await refused(api, "/v1/webhooks/test", body))["detail"]
    for events in ("batch.completed", ["batch.done"], [1], {}):
        assert (
            "item.failed"
            in (await refused(api, "/v1/batches", items | {"webhook": "https://h.example/", "webhook_events": events}))[
                "detail"
            ]
        )
    assert "webhook" in (await refused(api, "/v1/batches", items | {"webhook_events": ["item.failed"]}))["detail"]
    for since in (None, "yesterday", -1, True, 1e300, [1]):
        assert "since" in (await refused(api, "/v1/webhooks/recover", {"since": since}))["detail"]

    allowed = settings_for(database_url, api.settings.data_dir, webhook_allow=("127.0.0.0/8", "hooks.example"))
    async with running(allowed) as other:
        for url in (PRIVATE[0], "http://localhost:9/", "http://127.0.0.1:25/", "https://hooks.example:25/"):
            assert (await other.create("https://a.example/", webhook=url))["webhook"] == url
        await refused(other, "/v1/webhooks/test", {"webhook": PRIVATE[1]})


async def test_the_log_says_what_was_sent_and_events_are_sent_again(api: Api, pool: Pool) -> None:
    url = "https://hooks.example/in?token=1"
    first, second = [await api.create("https://a.example/", webhook=url) for _ in range(2)]
    silent = await api.create("https://a.example/")
    await Worker(pool, Blobs(api.settings.packs_url)).work()
    assert (await api.get(f"/v1/batches/{silent['id']}/deliveries"))["data"] == []
    [waiting] = (await api.get(f"/v1/batches/{first['id']}/deliveries"))["data"]
    assert (waiting["type"], waiting["url"], waiting["state"]) == ("batch.completed", url, "pending")
    assert waiting["next_attempt"] <= time.time()
    assert waiting["attempts"] == []

    assert len(await fail(pool)) == 2
    [log] = (await api.get(f"/v1/batches/{first['id']}/deliveries"))["data"]
    assert (log["state"], log["next_attempt"]) == ("given_up", None)
    assert await api.get(f"/v1/webhooks/events/{log['id']}") == log
    [attempt] = log["attempts"]
    assert abs(attempt.pop("at") - time.time()) < 60
    error = {"code": "connect_refused", "message": "Nobody listens."}
    assert attempt == {"attempt": "1/1", "ms": 12, "status": None, "response": None, "error": error}

    path = f"/v1/batches/{first['id']}/deliveries/{log['id']}/resend"
    again = await api.client.post(path, headers={"Idempotency-Key": "again"})
    assert again.json()["state"] == "pending"
    [event] = await fail(pool)
    assert (event.id, event.tries) == (log["id"], 0)
    replayed = await api.client.post(path, headers={"Idempotency-Key": "again"})
    assert (replayed.content, replayed.headers["Idempotent-Replayed"]) == (again.content, "true")
    assert await fail(pool) == []

    since = (await api.get(f"/v1/webhooks/events/{log['id']}"))["created"]
    later = await api.client.post("/v1/webhooks/recover", json={"since": since + 3600})
    assert later.json() == {"object": "recovery", "recovered": 0}
    recovered = await api.client.post("/v1/webhooks/recover", json={"since": since})
    assert recovered.json() == {"object": "recovery", "recovered": 2}
    assert len(await fail(pool)) == 2

    for unknown in (f"/v1/batches/{second['id']}/deliveries/{log['id']}/resend", path.replace(log["id"], "event_x%00")):
        answer = await api.client.post(unknown)
        assert (answer.status_code, answer.json()["code"]) == (404, "event_not_found")
    await api.client.delete(f"/v1/batches/{first['id']}")
    assert (await api.client.get(f"/v1/batches/{first['id']}/deliveries")).status_code == 410


async def test_a_resend_while_an_attempt_is_under_way_is_not_lost_and_a_late_success_counts(
    api: Api, pool: Pool
) -> None:
    made = (await api.client.post("/v1/batches", json={"open": True, "webhook": "https://hooks.example/"})).json()
    await api.client.post(f"/v1/batches/{made['id']}/cancel")
    async with pool.acquire() as connection:
        arrived = Attempt("1/5", await connection.fetchval("SELECT now()"), 1, 200, "", None, None)

        async def state() -> str:
            [event] = (await api.get(f"/v1/batches/{made['id']}/deliveries"))["data"]
            return str(event["state"])

        [event] = await outbox.claim(connection, [], 1, timedelta(minutes=1))
        path = f"/v1/batches/{made['id']}/deliveries/{event.id}/resend"
        assert (await api.client.post(path)).status_code == 200
        await outbox.record(connection, event, arrived, EventState.DELIVERED, 0.0)
        assert await state() == "pending"
        [late] = await outbox.claim(connection, [], 1, timedelta(0))
        [again] = await outbox.claim(connection, [], 1, timedelta(minutes=1))
        await outbox.record(connection, late, arrived, EventState.PENDING, 60.0)
        assert await outbox.claim(connection, [], 1, timedelta(0)) == [], "who has lost it puts nothing off"
        await outbox.record(connection, late, arrived, EventState.DELIVERED, 0.0)
        assert await state() == "delivered"
        await outbox.record(connection, again, arrived, EventState.GIVEN_UP, 0.0)
        assert await state() == "delivered"


async def test_a_test_event_and_a_rotation(api: Api, pool: Pool) -> None:
    made = (await api.client.post("/v1/webhooks/test", json={"webhook": "https://hooks.example/"})).json()
    assert (made["type"], made["state"], made["attempts"]) == ("webhook.test", "pending", [])
    [event] = await fail(pool)
    assert event.id == made["id"]
    assert (await api.get(f"/v1/webhooks/events/{made['id']}"))["state"] == "given_up"
    recovered = await api.client.post("/v1/webhooks/recover", json={"since": 0})
    assert recovered.json()["recovered"] == 0, "a test is not sent again"

    answers = [await api.client.post("/v1/webhooks/rotate", headers={"Idempotency-Key": key}) for key in "aab"]
    assert answers[0].content == answers[1].content
    first, second = answers[0].json(), answers[2].json()
    assert first["secret"] != second["secret"]
    assert abs(second["previous_until"] - time.time() - 86_400) < 60
    async with pool.acquire() as connection:
        keys = await signing.keys(connection, event.account_id)
    assert [webhook.spelled(key) for key in keys] == [second["secret"], first["secret"]]
    assert len(base64.b64decode(second["secret"].removeprefix("whsec_"))) == 32
    now = await pool.fetchval("SELECT now()")
    headers = webhook.headers("event_1", b"{}", now, keys)
    for secret in (first["secret"], second["secret"]):
        Webhook(secret).verify("{}", headers)


@pytest.mark.parametrize(
    ("status", "retry_after", "tries", "took", "state", "delay"),
    [
        (200, None, 1, 1, "delivered", 0),
        (299, 60.0, 5, 1, "delivered", 0),
        (410, 60.0, 1, 1, "gone", 0),
        (301, None, 1, 0, "pending", 120),
        (500, None, 1, 30, "pending", 90),
        (None, None, 2, 30, "pending", 210),
        (503, 10.0, 2, 0, "pending", 240),
        (429, 1000.0, 2, 0, "pending", 1000),
        (429, 1e9, 2, 0, "pending", 86_400),
        (500, None, 1, 500, "pending", 0),
        (500, None, 4, 0, "pending", 900),
        (None, None, 5, 0, "given_up", 0),
        (503, 1.0, 6, 0, "given_up", 0),
    ],
)
def test_what_follows_from_an_attempt(
    status: int | None, retry_after: float | None, tries: int, took: float, state: str, delay: float
) -> None:
    times = (0, 120, 360, 780, 1680)
    assert webhook.move(status, retry_after, times, tries, took) == webhook.Move(EventState(state), delay)
