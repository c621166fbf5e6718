"""Webhooks on a real database and to a real receiver: what is sent, when it is tried again, and that nothing is lost."""

import asyncio
import hashlib
import hmac
import itertools
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tests.storage import kit
from tests.support.receiver import Came, Receiver

from thresher.domain import ids
from thresher.domain import webhook as webhooks
from thresher.domain.states import ItemState
from thresher.engine import courier
from thresher.net.post import Poster
from thresher.settings import Settings
from thresher.storage import changes, outbox, settling, shards, signing, submit
from thresher.storage.batches import Batch
from thresher.storage.database import Connection, Pool
from thresher.storage.outbox import Event
from thresher.storage.settling import Pack

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
DYING = str(Path(__file__).parent / "dying_courier.py")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


@pytest.fixture
async def account(connection: Connection) -> int:
    return await kit.new_account(connection)


@asynccontextmanager
async def delivering(pool: Pool, **changes: Any) -> AsyncIterator[None]:
    """A courier in this process, which looks often."""
    settings = Settings(**{"webhook_allow": ("127.0.0.0/8",), "stop_grace": 0.1, **changes})
    async with Poster.from_settings(settings) as poster:
        running = courier.Courier(settings, pool, poster)
        task = asyncio.create_task(running.run())
        try:
            yield
        finally:
            running.leave()
            await task


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "PAUSE", 0.01)


async def finished(
    connection: Connection, account: int, url: str | None, items: int = 2, of: str | None = None, **options: Any
) -> Batch:
    """A batch that is done: its first item failed, the others are completed. `of`: the id of one of the parse API."""
    new = submit.NewBatch(account, "olostep", kit.new_items([1] * items), 3600.0, items, options, {}, webhook=url)
    new = replace(new, face="llamacloud", public_id=of) if of else new
    batch = await submit.create(connection, new)
    claim = await kit.claim_next(connection)
    ends = [kit.fate(0, ItemState.FAILED), *(kit.fate(n) for n in range(1, items))]
    work = [settling.Work(claim.shard, claim.lease, ends)]
    await settling.settle(connection, batch.id, work, Pack(f"pack {batch.id}", 10))
    await shards.end(connection, claim.shard, claim.lease)
    return await kit.reread(connection, batch)


async def until(pool: Pool, batch: Batch, state: str) -> Event:
    """The only event of the batch, once it is in this state."""
    async with asyncio.timeout(30):
        while True:
            async with pool.acquire() as connection:
                [event] = await outbox.of_batch(connection, batch.id, 2**62, 10)
            if event.state == state:
                return event
            await asyncio.sleep(0.01)


async def test_the_end_of_a_batch_of_the_parse_api_is_signed_and_named_as_there(
    pool: Pool, connection: Connection, receiver: Receiver, account: int
) -> None:
    await finished(connection, account, receiver.url("/in"), of=(job := ids.prefixed("bjb")))
    secret = webhooks.spelled(await signing.rotate(connection, account))
    async with delivering(pool):
        [came] = await receiver.wait_for("/in", 1)
    assert (came.event["event_type"], came.event["data"]["id"]) == ("batch.success", job)
    expected = hmac.new(secret.encode(), came.body, hashlib.sha256).hexdigest()
    assert came.headers["LC-Signature"] == f"sha256={expected}"


def gaps(came: list[Came]) -> list[int]:
    """Milliseconds between attempts, by what they say themselves."""
    times = [one.event["timestamp"] for one in came]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


async def test_the_envelope_is_olosteps_and_the_headers_verify_by_the_standard(
    pool: Pool, connection: Connection, receiver: Receiver, account: int
) -> None:
    batch = await finished(connection, account, receiver.url("/in?token=1"))
    await finished(connection, account, None)
    began = time.time()
    async with delivering(pool):
        [came] = await receiver.wait_for("/in", 1)
        event = await until(pool, batch, "delivered")
    found = came.event
    assert re.fullmatch(r"event_[a-z0-9]{16}", found.pop("id"))
    assert began * 1000 - 1 <= found.pop("timestamp") <= time.time() * 1000
    assert found == {
        "object": "event.batch.completed",
        "delivery_attempt": "1/5",
        "data": {
            "id": batch.public_id,
            "object": "batch",
            "status": "completed",
            "items_total": 2,
            "items_completed": 1,
            "items_failed": 1,
            "created_at": batch.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "completed_at": batch.finished_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),  # type: ignore[union-attr]
        },
    }
    assert came.headers["Content-Type"] == "application/json"
    assert came.headers["webhook-id"] == event.id == came.event["id"]
    [key] = await signing.keys(connection, account)
    assert Webhook(webhooks.spelled(key)).verify(came.body, came.headers) == came.event
    with pytest.raises(WebhookVerificationError):
        Webhook(webhooks.spelled(key)).verify(came.body.replace(b"1/5", b"2/5"), came.headers)
    page: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0], page)
    assert page["verified"](came.headers, came.body, webhooks.spelled(key)) is True
    assert page["verified"](came.headers, came.body + b" ", webhooks.spelled(key)) is False
    assert page["verified"](came.headers, came.body, webhooks.spelled(b"another")) is False
    late = came.headers | {"webhook-timestamp": str(int(began) - 1000)}
    assert page["verified"](late, came.body, webhooks.spelled(key)) is False
    [attempt] = event.attempts
    assert (attempt.attempt, attempt.status, attempt.head, attempt.failure) == ("1/5", 200, "ok", None)
    assert len(receiver.came) == 1, "a batch without a webhook is nobody's news"


async def test_after_a_rotation_both_secrets_sign_and_after_two_the_first_is_gone(
    pool: Pool, connection: Connection, receiver: Receiver, account: int
) -> None:
    first, second = [await signing.rotate(connection, account) for _ in range(2)]
    async with delivering(pool):
        await finished(connection, account, receiver.url("/a"))
        [came] = await receiver.wait_for("/a", 1)
        for secret in (first, second):
            Webhook(webhooks.spelled(secret)).verify(came.body, came.headers)
        third = await signing.rotate(connection, account)
        await finished(connection, account, receiver.url("/b"))
        [came] = await receiver.wait_for("/b", 1)
        for secret in (second, third):
            Webhook(webhooks.spelled(secret)).verify(came.body, came.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(webhooks.spelled(first)).verify(came.body, came.headers)
        await connection.execute("UPDATE webhook_secret SET retired_at = retired_at - interval '24 hours'")
        assert await signing.keys(connection, account) == [third]


async def test_an_event_is_tried_at_its_times_under_one_id_and_then_given_up_and_can_be_recovered(
    pool: Pool, connection: Connection, receiver: Receiver, account: int
) -> None:
    times = (0.0, 0.1, 0.3, 0.3)
    receiver.answers["/no"] = lambda n: (
        web.Response(status=302, headers={"Location": receiver.url("/elsewhere")})
        if n == 1
        else web.Response(status=500, text="a\0b" + "c" * 2000)
    )
    receiver.answers["/later"] = lambda n: web.Response(status=503 if n == 1 else 204, headers={"Retry-After": "1"})
    receiver.answers["/soon"] = lambda n: web.Response(status=429 if n == 1 else 200, headers={"Retry-After": "0"})
    receiver.answers["/gone"] = lambda _: web.Response(status=410)
    batches = {
        path: await finished(connection, account, receiver.url(path)) for path in ("/no", "/later", "/soon", "/gone")
    }
    async with delivering(pool, webhook_times=times):
        given_up = await until(pool, batches["/no"], "given_up")
        gone = await until(pool, batches["/gone"], "gone")
        await until(pool, batches["/later"], "delivered")
        await until(pool, batches["/soon"], "delivered")
        came = receiver.of("/no")
        assert [one.event["delivery_attempt"] for one in came] == ["1/4", "2/4", "3/4", "4/4"]
        assert {one.event["id"] for one in came} == {one.headers["webhook-id"] for one in came} == {given_up.id}
        assert [gap >= least for gap, least in zip(gaps(came), (100, 200, 0), strict=True)] == [True] * 3
        assert not receiver.of("/elsewhere"), "redirects are not followed"
        assert [one.status for one in given_up.attempts] == [302, 500, 500, 500]
        assert given_up.attempts[1].head == "ab" + "c" * 1021
        assert gaps(receiver.of("/later"))[0] >= 1000, "a Retry-After makes it later"
        assert gaps(receiver.of("/soon"))[0] >= 100, "and never earlier"
        assert (len(gone.attempts), len(receiver.of("/gone"))) == (1, 1)

        receiver.answers.clear()
        assert await outbox.recover(connection, account, datetime.now(UTC)) == 0
        assert await outbox.recover(connection, account + 1, given_up.created_at) == 0
        assert await outbox.recover(connection, account, given_up.created_at) == 2
        again = await until(pool, batches["/no"], "delivered")
        await until(pool, batches["/gone"], "delivered")
        assert [one.attempt for one in again.attempts][-2:] == ["4/4", "1/4"]
        assert receiver.of("/no")[-1].event["id"] == given_up.id
        assert await outbox.resend(connection, account, batches["/no"].id, given_up.id)
        await receiver.wait_for("/no", 6)


async def test_a_receiver_that_hangs_or_is_away_or_is_private_fails_by_name_and_delays_nobody(
    pool: Pool, connection: Connection, receiver: Receiver, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "ROOM", 6)  # which the hanging ones would fill
    hanging = [await finished(connection, account, receiver.url(f"/hang?batch={n}")) for n in range(7)]
    away = await finished(connection, account, "http://127.0.0.1:9/")
    private = await finished(connection, account, "http://10.1.2.3/secret")
    name = await finished(connection, account, "http://localhost:1/")
    settings = {"webhook_times": (0,), "webhook_allow": ("127.0.0.1",)}
    async with Receiver() as another:
        good = await finished(connection, account, another.url("/good"))
        neighbour = await finished(connection, await kit.new_account(connection), receiver.url("/neighbours"))
        async with delivering(pool, **settings):
            for batch in (good, neighbour):
                await until(pool, batch, "delivered")
            assert len(receiver.of("/hang")) <= courier.HANDFUL, "there was room beside them"
    async with delivering(pool, webhook_timeout=0.5, **settings):
        for batch, code in ((away, "connect_refused"), (private, "blocked_address"), (hanging[0], "timeout")):
            [attempt] = (await until(pool, batch, "given_up")).attempts
            assert (attempt.status, attempt.failure) == (None, code)
            assert attempt.detail
            assert "10.1.2.3" not in attempt.detail
        await until(pool, name, "given_up")


async def test_items_are_told_of_in_order_once_and_wait_for_a_receiver_that_is_away(
    pool: Pool, connection: Connection, receiver: Receiver, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thresher.storage.feeds.MOST", 4)
    receiver.answers["/all"] = lambda n: web.Response(status=500 if n == 1 else 200)
    items = {"webhook_events": ["item.completed", "item.failed"]}
    told = await finished(connection, account, receiver.url("/all"), 10, **items)
    failed = await finished(connection, account, receiver.url("/failed"), 10, webhook_events=["item.failed"])
    async with delivering(pool, webhook_times=(0,)):
        await receiver.wait_for("/all", 1)
        event = await until(pool, told, "given_up")
        assert len(receiver.of("/all")) == 1, "nothing goes past what did not arrive"
        await outbox.resend(connection, account, told.id, event.id)
        came = (await receiver.wait_for("/all", 4))[1:]
        await receiver.wait_for("/failed", 1)
        async with asyncio.timeout(10):
            while await connection.fetchval("SELECT count(*) FROM item_feed"):
                await asyncio.sleep(0.01)
    assert {one.event["object"] for one in came} == {"event.batch.items"}
    sent = [item for one in came for item in one.event["data"]["items"]]
    assert [item["custom_id"] for item in sent] == [f"c{n}" for n in range(10)]
    assert [item["status"] for item in sent] == ["failed"] + ["completed"] * 9
    assert sent[0]["error"]["code"] == "http_4xx"
    assert len({item["retrieve_id"] for item in sent}) == 10
    [only] = receiver.of("/failed")
    assert [item["custom_id"] for item in only.event["data"]["items"]] == ["c0"]
    assert len(await outbox.of_batch(connection, failed.id, 2**62, 10)) == 1, "batch.completed was not chosen"

    kept = await finished(connection, account, receiver.url("/kept"))
    await outbox.erase(connection, told.id)
    assert await outbox.of_batch(connection, told.id, 2**62, 10) == [], "URLs of a purged batch are gone"
    assert [row["batch_id"] for row in await connection.fetch("SELECT batch_id FROM event ORDER BY seq")] == [
        told.id,  # the record of its end
        failed.id,
        failed.id,
        kept.id,
    ]
    assert await connection.fetchval("SELECT count(*) FROM delivery") == 1, "that of the other batch"


async def compared(
    connection: Connection, account: int, receiver: str | None, pages: Sequence[bytes | None], **more: Any
) -> Batch:
    """A batch that is done; of each item the digest of its result, None for a failure."""
    options = {"webhook_events": list(webhooks.Subject), "webhook_only_changes": True}
    new = submit.NewBatch(
        account, "olostep", kit.new_items([1] * len(pages)), 3600.0, 99, options, {}, webhook=receiver, **more
    )
    batch = await submit.create(connection, new)
    claim = await kit.claim_next(connection)
    ends = [
        replace(kit.fate(n, ItemState.COMPLETED if page else ItemState.FAILED), digest=page)
        for n, page in enumerate(pages)
    ]
    work = [settling.Work(claim.shard, claim.lease, ends)]
    await settling.settle(connection, batch.id, work, Pack(f"pack {batch.id}", 10))
    await shards.end(connection, claim.shard, claim.lease)
    return batch


async def test_a_webhook_that_wants_changes_is_told_of_what_is_not_as_it_was_and_the_log_says_what_was_not_sent(
    pool: Pool, connection: Connection, receiver: Receiver, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thresher.storage.feeds.MOST", 3)
    monkeypatch.setattr(courier, "COUNTS", 1)
    conclude, counting, most = changes.conclude, 0, 0

    async def watched(*arguments: Any) -> None:
        nonlocal counting, most
        counting += 1
        most = max(most, counting)
        await conclude(*arguments)
        counting -= 1

    monkeypatch.setattr(changes, "conclude", watched)
    a, b = b"P" + b"a" * 16, b"P" + b"b" * 16
    before = await compared(connection, account, None, [a, a, a, a, None, None, a])
    some = await compared(
        connection, account, receiver.url("/some"), [a, a, a, b, None, b, None, a], compare_with=before.id
    )
    none = await compared(
        connection, account, receiver.url("/none"), [a] * 4 + [None] * 2 + [a], compare_with=before.id
    )
    nobody = await compared(connection, account, None, [b], compare_with=before.id)
    async with delivering(pool):
        await receiver.wait_for("/some", 3)
        event = await until(pool, none, "unsent")
        async with asyncio.timeout(20):
            while (await kit.reread(connection, nobody)).changes is None:
                await asyncio.sleep(0.01)
    assert (event.attempts, receiver.of("/none")) == ([], [])
    assert most == 1, "connections are left for the leases"
    told = {one.event["object"]: one.event["data"] for one in receiver.of("/some")}
    items = [
        (item["custom_id"], item["change"])
        for one in receiver.of("/some")
        for item in one.event["data"].get("items", ())
    ]
    assert items == [("c3", "changed"), ("c5", "recovered"), ("c6", "lost"), ("c7", "new")]
    ended = told["event.batch.completed"]
    counts = {"same": 3, "changed": 1, "failed": 1, "recovered": 1, "lost": 1, "new": 1, "gone": 0, "unknown": 0}
    assert (ended["compare_with"], ended["changes"]) == (before.public_id, counts)
    assert (await kit.reread(connection, some)).changes == counts
    assert await connection.fetchval("SELECT count(*) FROM event WHERE due_at IS NOT NULL") == 0


async def test_a_process_killed_at_any_step_loses_no_event(
    database_url: str, pool: Pool, connection: Connection, receiver: Receiver, account: int
) -> None:
    batches = [await finished(connection, account, receiver.url(f"/{n}")) for n in range(3)]

    dying = [
        await asyncio.create_subprocess_exec(sys.executable, DYING, database_url, step)
        for step in ("claimed", "posted", "recording")
    ]
    try:
        assert [await asyncio.wait_for(process.wait(), 30) for process in dying] == [-signal.SIGKILL] * 3
        assert len(receiver.came) == 2, "of the one that had only claimed nothing came"
        assert await connection.fetchval("SELECT count(*) FROM delivery") == 0
        async with delivering(pool):
            for batch in batches:
                event = await until(pool, batch, "delivered")
                assert [one.attempt for one in event.attempts] == ["1/5"]
        assert len(receiver.came) == 5
        assert len({one.event["id"] for one in receiver.came}) == 3
    finally:
        for process in dying:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def test_a_courier_that_leaves_gives_back_what_is_under_way(
    pool: Pool, connection: Connection, receiver: Receiver, account: int
) -> None:
    batch = await finished(connection, account, receiver.url("/hang"))
    async with delivering(pool):
        await receiver.wait_for("/hang", 1)
    event = await until(pool, batch, "pending")
    assert (event.tries, event.attempts) == (0, [])
    assert event.due_at is not None
    assert event.due_at <= await connection.fetchval("SELECT now()")
