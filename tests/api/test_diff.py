"""GET /v1/batches/{id}/diff, and batches that are compared when they are done."""

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from tests.api.conftest import Api
from tests.api.worker import Worker

from thresher.api.olostep import diff, textdiff
from thresher.convert.document import Source
from thresher.domain.change import NO_NEWS, Change
from thresher.domain.failure import FailureCode
from thresher.storage import changes, outbox
from thresher.storage.blobs import Blobs
from thresher.storage.database import Connection, Pool

EVERY = ["same", "changed", "lost", "recovered", "failed", "unknown"]


def page(words: str) -> Source:
    return Source(
        "https://a.example/",
        f"<title>{words}</title><h1>{words}</h1><p>Always here.</p><p>{words}</p>".encode(),
        "text/html",
    )


async def ended(
    api: Api, pool: Pool, pages: Mapping[str, str | None], *, twice: Sequence[str] = (), **fields: Any
) -> dict[str, Any]:
    """A batch that is done: a page of these words for each custom_id, or a failure."""
    items = [{"url": f"https://a.example/{name}", "custom_id": name} for name in (*pages, *twice)]
    response = await api.client.post("/v1/batches", json={"items": items, **fields})
    assert response.status_code == 200, response.text
    sources = {name: page(words) for name, words in pages.items() if words is not None}
    worker = Worker(pool, Blobs(api.settings.packs_url), sources=sources)
    await worker.work(lambda item: None if item.custom_id in sources else FailureCode.TIMEOUT)
    made: dict[str, Any] = response.json()
    return made


async def told(api: Api, now: dict[str, Any], before: dict[str, Any], **query: Any) -> dict[str, Any]:
    return await api.get(f"/v1/batches/{now['id']}/diff", **{"with": before["id"], **query})


async def all_pages(api: Api, now: dict[str, Any], before: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    """Every entry, page by page; only the first page has counts."""
    found: list[dict[str, Any]] = []
    cursor = 0
    while True:
        answer = await told(api, now, before, **query, cursor=cursor)
        assert ("counts" in answer) == (cursor == 0)
        found += answer["data"]
        if "cursor" not in answer:
            return found
        assert answer["cursor"] > cursor
        cursor = answer["cursor"]


async def test_what_became_of_each_custom_id_is_told_once_counted_and_paged_without_a_gap(
    api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = {"away": "a", "same": "s", "changed": "old", "lost": "l", "recovered": None, "failed": None, "unknown": "u"}
    now = {"unknown": "u", **dict.fromkeys(("new", "new too"), "n"), "same": "s", "changed": "new", "lost": None}
    now |= {"recovered": "r", "failed": None}
    before = await ended(api, pool, was | {"gone too": None}, twice=["away", "same"])
    assert (await told_of(api, before, before))["same"] == 5
    later = await ended(api, pool, now, twice=["changed", "new"])
    await pool.execute("UPDATE item SET digest = NULL WHERE custom_id = 'unknown' AND batch_id = 1")

    found = await all_pages(api, later, before)
    expected = [(name, name if name in EVERY else "new") for name in now] + [("away", "gone"), ("gone too", "gone")]
    assert [(entry["custom_id"], entry["status"]) for entry in found] == expected
    for limit in (1, 2, 3):
        assert await all_pages(api, later, before, limit=limit) == found
    some = await all_pages(api, later, before, status="changed,gone", limit=1)
    assert some == [entry for entry in found if entry["status"] in ("changed", "gone")]
    with monkeypatch.context() as patch:
        patch.setattr(changes, "STRETCH", 2)  # so that pages are short, or empty
        assert await all_pages(api, later, before, status="changed,gone") == some
        assert await all_pages(api, later, before, status="gone") == some[1:]
        assert await all_pages(api, later, before) == found
    counted = (await told(api, later, before, limit=1, status="gone"))["counts"]
    assert counted == {"new": 2, "gone": 2, **dict.fromkeys(EVERY, 1)}
    assert set(counted) == set(Change)

    entries = {entry["status"]: entry for entry in found}
    assert entries["new"]["before"] is entries["gone"]["now"] is None
    assert (entries["lost"]["now"]["error"]["code"], entries["lost"]["before"]["status"]) == ("timeout", "completed")
    assert (entries["failed"]["now"]["status"], entries["recovered"]["before"]["status"]) == ("failed", "failed")
    assert [entry["custom_id"] for entry in found if "compared" in entry] == ["same", "changed"]
    content = await api.get("/v1/retrieve", retrieve_id=entries["changed"]["now"]["retrieve_id"])
    assert "new" in content["markdown_content"]
    assert content["custom_id"] == "changed"


async def test_a_custom_id_that_is_everywhere_is_not_read_again_for_each_of_its_items(api: Api, pool: Pool) -> None:
    items = 200
    batch = await ended(api, pool, {"a": "1"}, twice=["a"] * (items - 1))
    found = await told(api, batch, batch, limit=1)
    assert (len(found["data"]), found["counts"]["same"]) == (1, 1)
    plan = await pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {changes.FIRSTS}", 1, 0, items)
    read = sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes(orjson.loads(plan)[0]["Plan"])
    )
    assert read < 10 * items


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of a query's plan."""
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes(below))]


async def told_of(api: Api, now: dict[str, Any], before: dict[str, Any], **query: Any) -> dict[str, Any]:
    """How many became what."""
    counts: dict[str, Any] = (await told(api, now, before, **query))["counts"]
    return counts


async def test_what_has_changed_is_shown_line_by_line_of_the_markdown_or_of_what_the_parser_made(
    api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a", "b", "c")
    plain = [await ended(api, pool, dict.fromkeys(names, words) | {"s": "s"}) for words in ("old", "new")]
    answer = await told(api, plain[1], plain[0], text="true", status="changed")
    text = "--- before\n+++ now\n@@ -1,5 +1,5 @@\n-# old\n+# new\n \n Always here.\n \n-old\n+new\n"
    assert [(entry["compared"], entry["diff"]) for entry in answer["data"]] == [("markdown", text)] * 3
    assert all("diff" not in entry for entry in await all_pages(api, plain[1], plain[0]))
    assert ["diff" in entry for entry in await all_pages(api, plain[1], plain[0], text="true")] == [True] * 3 + [False]

    read = [
        await ended(api, pool, dict.fromkeys(names, words), parser="@thresher/metadata")
        for words in ("old", "old", "new")
    ]
    assert (await told_of(api, read[1], read[0]))["same"] == 3
    [one, *_] = (await told(api, read[2], read[0], text="true"))["data"]
    assert one["compared"] == "json"
    assert '-  "title": "old",\n+  "title": "new",\n' in one["diff"]
    mixed = (await told(api, read[0], plain[0]))["data"]
    assert {(entry["status"], entry.get("compared")) for entry in mixed[:3]} == {("same", "markdown")}

    with monkeypatch.context() as patch:
        patch.setattr(diff, "SECONDS", -1.0)  # so that each page has time for one
        assert await all_pages(api, plain[1], plain[0], text="true", status="changed") == answer["data"]
        patch.setattr(textdiff, "MOST_OUT", 10)
        [one] = (await told(api, plain[1], plain[0], text="true", limit=1))["data"]
        assert (one["diff"], one["diff_error"]) == (None, "too_large")
    await pool.execute("UPDATE pack SET key = key || 'x' WHERE batch_id = 1")
    [one] = (await told(api, plain[1], plain[0], text="true", limit=1))["data"]
    assert (one["diff"], one["diff_error"]) == (None, "missing")


async def test_batches_are_compared_with_their_retries_and_refused_as_long_as_one_of_them_runs(
    api: Api, pool: Pool
) -> None:
    before = await ended(api, pool, {"a": "1", "b": None})
    later = await ended(api, pool, {"a": None, "b": "2"})
    worker = Worker(pool, Blobs(api.settings.packs_url), sources={"a": page("1"), "b": page("1")})
    again = []
    for batch in (before, later):
        again.append((await api.client.post(f"/v1/batches/{batch['id']}/retry")).json())
    refused = await ask(api, later, before, lineage="merged")
    assert (refused.status_code, refused.json()["code"]) == (409, "batch_not_done")
    assert (await ask(api, again[0], before)).json()["detail"].startswith(f"The batch {again[0]['id']} is running")
    await worker.work()
    assert {key: n for key, n in (await told_of(api, later, before)).items() if n} == {"lost": 1, "recovered": 1}
    for one, other in ((later, before), (again[1], again[0])):
        found = await told(api, one, other, lineage="merged")
        assert [(entry["custom_id"], entry["status"]) for entry in found["data"]] == [("a", "same"), ("b", "changed")]
        assert {key: n for key, n in found["counts"].items() if n} == {"same": 1, "changed": 1}
        sides = [entry[side]["batch_id"] for entry in found["data"] for side in ("now", "before")]
        assert sides == [again[1]["id"], before["id"], later["id"], again[0]["id"]]

    await api.client.post(f"/v1/batches/{(stopped := await api.create('https://a.example/'))['id']}/cancel")
    refused = await ask(api, stopped, before)
    assert (refused.status_code, refused.headers["Retry-After"]) == (409, "5")
    for query, status, code in (
        ({"with": ""}, 400, "validation_error"),
        ({"with": "batch_aaaaaaaaaaaa"}, 404, "batch_not_found"),
        ({"status": "changed,odd"}, 400, "validation_error"),
        ({"text": "perhaps"}, 400, "validation_error"),
    ):
        refused = await ask(api, later, before, **query)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    await api.client.delete(f"/v1/batches/{before['id']}")
    assert (await ask(api, later, before)).json()["code"] == "batch_purged"


async def ask(api: Api, now: dict[str, Any], before: dict[str, Any], **query: Any) -> httpx.Response:
    return await api.client.get(f"/v1/batches/{now['id']}/diff", params={"with": before["id"], **query})


async def test_a_batch_is_compared_when_it_is_done_and_its_webhook_can_be_told_of_changes_alone(
    api: Api, pool: Pool
) -> None:
    fields = {"webhook": "https://hooks.example/", "webhook_only_changes": True}
    before = await ended(api, pool, {"a": "1", "b": None})
    with_it = {"compare_with": before["id"]}
    quiet = await ended(api, pool, {"a": "1", "b": None}, **fields, **with_it)
    loud = await ended(api, pool, {"a": "1", "b": "2"}, **fields, **with_it)
    shown = await ended(api, pool, {"a": "2", "b": None}, **with_it)
    late = await ended(api, pool, {"a": "1", "b": None}, **fields, **with_it)
    assert (quiet["compare_with"], quiet["changes"], quiet["webhook_only_changes"]) == (before["id"], None, True)
    async with pool.acquire() as connection:
        due = await claimed(connection)
        for batch in (quiet, loud, shown):
            await changes.conclude(connection, due[batch["id"]])
        await api.client.delete(f"/v1/batches/{before['id']}")
        await changes.conclude(connection, due[late["id"]])
        sent = await claimed(connection)
    seen = [await api.get(f"/v1/batches/{batch['id']}") for batch in (quiet, loud, shown, late)]
    some = [batch["changes"] and {key: n for key, n in batch["changes"].items() if n} for batch in seen]
    assert some == [{"same": 1, "failed": 1}, {"same": 1, "recovered": 1}, {"changed": 1, "failed": 1}, None]
    assert {key: event.body["changes"] for key, event in sent.items()} == {
        loud["id"]: seen[1]["changes"],
        late["id"]: None,
    }
    path = f"/v1/batches/{quiet['id']}/deliveries"
    [event] = (await api.get(path))["data"]
    assert (event["state"], event["attempts"], event["next_attempt"]) == ("unsent", [], None)
    assert (await api.get(f"/v1/batches/{shown['id']}/deliveries"))["data"] == []
    assert (await api.client.post(f"{path}/{event['id']}/resend")).json()["state"] == "pending"

    retry = (await api.client.post(f"/v1/batches/{loud['id']}/retry")).json()
    assert retry["code"] == "nothing_to_retry"
    retry = (await api.client.post(f"/v1/batches/{late['id']}/retry")).json()
    assert not {"compare_with", "changes", "webhook_only_changes"} & set(retry)


async def claimed(connection: Connection) -> dict[str, outbox.Outgoing]:
    """The events that are due, by their batches."""
    return {event.body["id"]: event for event in await outbox.claim(connection, [], 10, timedelta(minutes=1))}


async def test_a_create_says_what_is_wrong_with_the_batch_that_it_is_to_be_compared_with(
    api: Api, pool: Pool, stranger: str
) -> None:
    before = await ended(api, pool, {"a": "1"})
    running = await api.create("https://a.example/")
    body = {"urls": ["https://a.example/"], "compare_with": before["id"]}
    as_them = {"Authorization": f"Bearer {stranger}"}
    theirs = await api.client.post("/v1/batches", json=body, headers=as_them)
    assert (theirs.status_code, theirs.json()["detail"]) == (400, "compare_with: Batch not found")
    theirs = await api.client.post("/v1/batches", json={"open": True}, headers=as_them)
    own = f"/v1/batches/{theirs.json()['id']}"
    await api.client.post(f"{own}/cancel", headers=as_them)
    theirs = await api.client.get(f"{own}/diff", params={"with": before["id"]}, headers=as_them)
    assert (theirs.status_code, theirs.json()["code"]) == (404, "batch_not_found")
    for fields, status, start in (
        ({"compare_with": 7}, 400, "compare_with: must be the id of a batch, not "),
        ({"compare_with": "batch_no"}, 400, "compare_with: Batch not found"),
        ({"compare_with": running["id"]}, 409, "The batch that compare_with names is running"),
        ({"webhook_only_changes": True}, 400, "webhook_only_changes: is of no use without a webhook"),
        ({"webhook_only_changes": "yes"}, 400, "webhook_only_changes: must be true or false"),
        ({"webhook_only_changes": True, "webhook": "https://h.example/", "compare_with": ""}, 400, "webhook_only"),
    ):
        refused = await api.client.post("/v1/batches", json=body | fields)
        assert (refused.status_code, refused.json()["detail"][: len(start)]) == (status, start)
    await api.client.delete(f"/v1/batches/{before['id']}")
    refused = await api.client.post("/v1/batches", json=body)
    assert refused.status_code == 400
    assert "were deleted on" in refused.json()["detail"]


def test_a_unified_diff_is_what_patch_would_need_and_never_takes_long() -> None:
    rnd = random.Random(3)
    for size in (0, 1, 5, 40):
        for _ in range(100):
            old, new = ([rnd.choice("abcdef") for _ in range(rnd.randint(0, size))] for _ in range(2))
            if rnd.random() < 0.5:
                new = old[:]
                for _ in range(rnd.randint(0, 3)):
                    new[rnd.randint(0, len(new)) :][:1] = ["x"]
            assert patched(old, textdiff.unified("\n".join(old), "\n".join(new))) == new
    assert textdiff.unified("a\u2028b\n", "a\nb").endswith("\n@@ -1 +1,2 @@\n-a\u2028b\n+a\n+b\n")
    many = [str(n) for n in range(20_000)]
    changed = [*many[:10000], "here", *many[10001:]]
    assert textdiff.unified("\n".join(many), "\n".join(changed)).count("\n") == 3 + 8
    every_other = [
        line if n % 2 else "here" for n, line in enumerate(many[:9_000])
    ]  # the library would take ten seconds
    for old, new in ((many[:9_000], every_other), (many, many[::-1]), ([], ["x" * (textdiff.MOST_CHARS + 1)])):
        with pytest.raises(textdiff.TooLarge):
            textdiff.unified("\n".join(old), "\n".join(new))


def patched(lines: list[str], text: str) -> list[str]:
    """The lines after a unified diff was applied to them, hunk by hunk, each where it says."""
    made: list[str] = []
    place = 0
    for line in text.splitlines()[2:]:
        if line.startswith("@@"):
            start, _, length = line.split()[1][1:].partition(",")
            begin = int(start) - (length != "0")
            made += lines[place:begin]
            place = begin
        elif line[0] == "+":
            made.append(line[1:])
        else:
            assert lines[place] == line[1:]
            made += [lines[place]] if line[0] == " " else []
            place += 1
    return made + lines[place:]


def test_no_news_is_what_could_not_be_had_before_either_or_is_as_it_was() -> None:
    assert {Change.SAME, Change.FAILED} == NO_NEWS
