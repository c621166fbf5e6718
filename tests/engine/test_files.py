"""Items that are files: read from the store, converted, skipped where there is a result already; no host is asked."""

from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.files.pdf import paragraphs, pdf
from tests.storage import laws
from tests.support.cluster import Cluster, new_items, until, until_done
from tests.support.files import items_of, submit_files, upload
from tests.support.invariants import check_done
from tests.support.origin import Origin

from thresher.convert.frame import Frame
from thresher.storage import files, purge, retries
from thresher.storage.batches import Batch
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.submit import NewBatch, create

LIMIT = 4096  # bytes of a file that is converted, in these tests


@pytest.fixture
def store(tmp_path: Path) -> Blobs:
    return Blobs((tmp_path / "blobs").as_uri())


async def rows(pool: Pool, batch: Batch) -> list[dict[str, Any]]:
    found = await pool.fetch(
        "SELECT i.*, k.key FROM item i LEFT JOIN pack k ON k.id = i.pack_id WHERE i.batch_id = $1 ORDER BY ord",
        batch.id,
    )
    return [dict(row) for row in found]


async def test_files_are_converted_skipped_or_fail_by_name_and_mix_with_urls(
    cluster: Cluster, origin: Origin, pool: Pool, store: Blobs
) -> None:
    manual = pdf(paragraphs("Manual", "first page"), paragraphs("Second", "last page"))
    async with pool.acquire() as connection:
        page = b"<!doctype html><title>Access denied</title><h1>Access denied</h1><p>You have been blocked.</p>"
        sheet = await upload(connection, store, "sheet.CSV", b"a,b\n1,2\n")
        same = await upload(connection, store, "copy.csv", b"a,b\n1,2\n")
        html = await upload(connection, store, "denied.html", page)
        book = await upload(connection, store, "manual.bin", manual)
        large = await upload(connection, store, "large.txt", b"x" * (LIMIT + 1))
        gone = await upload(connection, store, "gone.txt", b"gone")
        lost = await upload(connection, store, "lost.txt", b"lost")
        bent = await upload(connection, store, "bent.txt", b"bent")
        batch = await submit_files(pool, [sheet, same, html, book, large, gone, lost, bent], shard_size=100)
        # Two of the same bytes in one shard: see that they are one conversion.
        await connection.execute("UPDATE shard SET ords = '{0,1}' WHERE batch_id = $1 AND ords = '{0}'", batch.id)
        await connection.execute("DELETE FROM shard WHERE batch_id = $1 AND ords = '{1}'", batch.id)
        assert await files.delete(connection, batch.account_id, gone.id)
        await store.delete([lost.key])
        await store.delete([bent.key])
        await store.put(bent.key, b"BENT")
    await cluster.start(1, THRESHER_DOCUMENT_MAX_BYTES=str(LIMIT))
    batch = await until_done(pool, batch)
    await check_done(pool, batch)
    found = await rows(pool, batch)
    assert [(row["state"], row["failure"]) for row in found] == [
        (1, None),
        (1, None),
        (1, None),
        (1, None),
        (3, None),
        (2, "file_gone"),
        (2, "file_gone"),
        (2, "file_gone"),
    ]
    assert (batch.outcome, batch.billed, batch.skipped) == ("partial", 4, 1)
    assert (found[0]["pack_id"], found[0]["off"]) == (found[1]["pack_id"], found[1]["off"])
    assert [found[0]["attempts"][0][name] for name in ("code", "shared", "bytes")] == ["ok", 2, 8]
    assert (found[4]["detail"], found[4]["billed"], found[4]["len"]) == ("size_limit_exceeded", 0, None)
    assert [row["detail"] for row in found[6:]] == [
        "It is not in the store, or not all of it.",
        "What the store has is not what was uploaded.",
    ]
    frames = [Frame.parse(await store.read(row["key"], row["off"], row["len"])) for row in found[:4]]
    assert [len(frame.pages) for frame in frames] == [1, 1, 1, 2]
    assert "verdict" not in frames[2].header
    assert (frames[2].body, frames[3].body) == (page, b""), "the bytes of a document are not kept twice"
    assert "last page" in frames[3].pages[1]["markdown"]

    again = await until_done(pool, await submit_files(pool, [same, book, html], {"webhook_url": "http://x.example/"}))
    assert (again.outcome, again.skipped, again.billed) == ("all_ok", 3, 0)
    skipped = await rows(pool, again)
    assert [(row["detail"], row["body_batch"], row["body_ord"]) for row in skipped] == [
        ("already_processed", batch.id, 0),
        ("already_processed", batch.id, 3),
        ("already_processed", batch.id, 2),
    ]
    assert skipped[1]["attempts"][0]["reused"] == {"batch": batch.id, "item": 3}
    # A result that is soon purged is no reason to have none of one's own.
    await pool.execute(
        "UPDATE batch_progress SET finished_at = now() - interval '16 days' WHERE batch_id = $1", batch.id
    )
    later = await until_done(pool, await submit_files(pool, [sheet]))
    assert later.completed == 1
    other = await until_done(pool, await submit_files(pool, [book], {"target_pages": "1"}))
    anew = await until_done(pool, await submit_files(pool, [book], {"do_not_cache": True}))
    assert (other.completed, anew.completed) == (1, 1)
    for one in (again, other, anew):
        await check_done(pool, one)
    async with pool.acquire() as connection:
        await laws.check(connection)

    async with pool.acquire() as connection:
        mixed = [*new_items(["http://a.example/page/x"]), *items_of([book, large], 1)]
        both = await create(connection, NewBatch(batch.account_id, "olostep", mixed, 600, 100, {}, {}, None))
    both = await until_done(pool, both)
    await check_done(pool, both)
    last = await rows(pool, both)
    assert [(row["state"], row["failure"]) for row in last] == [(1, None), (1, None), (2, "too_large")]
    assert last[2]["detail"] == f"The file has {LIMIT + 1} bytes, and THRESHER_DOCUMENT_MAX_BYTES is {LIMIT}."
    assert [path for _, path in origin.asked if path != "/robots.txt"] == ["/page/x"]

    # A worker is killed with a document in hand: another converts it, once.
    worker = psutil.Process(cluster.processes[0].pid)
    [child] = [one for one in worker.children() if any("documents=" in word for word in one.cmdline())]
    child.suspend()
    held = await submit_files(pool, [book, sheet], {"do_not_cache": True, "page_prefix": "p"})
    await until(pool, held, lambda now: now.completed == 1)
    worker.kill()
    assert (await until(pool, held, lambda now: True)).processing == 1
    await cluster.start(1, THRESHER_HEARTBEAT="2")
    held = await until_done(pool, held)
    assert (held.outcome, held.billed) == ("all_ok", 2)
    await check_done(pool, held)
    async with pool.acquire() as connection:
        await laws.check(connection)

    # What was skipped has no result any more when that of the earlier batch is purged.
    what = retries.Again(None, None, 600, 100)
    async with pool.acquire() as connection:
        with pytest.raises(retries.NothingToRetry):
            await retries.retry(connection, again, what)
        await purge.mark(connection, batch.id)
        retried = await retries.retry(connection, again, what)
    assert (await until_done(pool, retried)).total == 3
    await check_done(pool, await until_done(pool, retried))
    async with pool.acquire() as connection:
        await laws.check(connection)
