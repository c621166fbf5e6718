"""POST /v1/batches?dry_run=true: what is told of a batch before there is one, and that nothing is left of it."""

from typing import Any

from tests.api.conftest import Api, running, settings_for
from tests.api.worker import Worker

from thresher.domain.robots import parse
from thresher.settings import Settings
from thresher.storage import hosts, ledger
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool

AGENT = "thresher"


async def forecast(api: Api, **body: Any) -> dict[str, Any]:
    response = await api.client.post("/v1/batches?dry_run=true", json=body)
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    assert told["object"] == "batch_forecast"
    return told


async def remember(pool: Pool, origin: str, text: bytes, agent: str = AGENT) -> None:
    """The cluster knows this robots.txt."""
    async with pool.acquire() as connection:
        await hosts.remember_robots(connection, origin, parse(text, AGENT).to_json() | {"agent": agent}, 3600)


async def everything(pool: Pool) -> dict[str, int]:
    """How many rows each table has."""
    tables = await pool.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname ~ '^thresher'"
    )
    return {row["name"]: await pool.fetchval(f"SELECT count(*) FROM {row['name']}") for row in tables}


async def test_what_a_create_would_refuse_and_what_will_fail_is_told_place_by_place(api: Api, pool: Pool) -> None:
    await remember(pool, "https://a.example", b"User-agent: *\nDisallow: /private*\nCrawl-delay: 2\n")
    await remember(pool, "https://b.example", b"User-agent: *\nDisallow: /\n", agent="another")
    async with pool.acquire() as connection:
        await hosts.note(connection, 1, [hosts.Note("busy.example", paused=7200, connections=1, strikes=3)])
        await hosts.note(connection, 1, [hosts.Note("later.example", paused=60, connections=1, strikes=1)])
    items = [
        {"url": "https://a.example/1", "custom_id": "a"},
        {"url": "HTTPS://A.example:443/1"},
        {"url": "https://a.example/private/x#top", "custom_id": 7},
        {"url": "ftp://a.example/"},
        {"url": "https://b.example/", "metadata": {"a": []}},
        {"url": "https://b.example/"},
        {"url": "https://a.example/2", "custom_id": "a"},
        {"url": "http://127.0.0.1/admin"},
        {"url": "http://c.example:22/"},
        {"url": "http://localhost/"},
        {"url": f"http://{'x' * 64}.example/"},
        {"url": "https://busy.example/"},
        {"url": "https://later.example/"},
        {"url": f"https://later.example/{'y' * 300}"},
        None,
        {"url": "https://b.example/", "headers": {"X": "y", "Host": "z"}},
    ]
    told = await forecast(api, items=items)
    assert not told["accepted"]
    assert told["counts"] == {"total": 16, "refused": 5, "failing": 6, "unique_urls": 10, "files": 0, "duplicates": 1}
    refused = [(one["index"], one["custom_id"], one["code"], one["reason"]) for one in told["refused"]]
    assert refused[0] == (3, None, "invalid_url", "the scheme must be http or https, not 'ftp'")
    why = "headers.Host: cannot be chosen: the server sets it itself, or never sends it"
    assert refused[-1] == (15, None, "invalid_headers", why)
    assert [one[:3] for one in refused[1:-1]] == [
        (4, None, "invalid_metadata"),
        (6, "a", "duplicate_custom_id"),
        (14, None, "invalid_item"),
    ]
    failing = {one["index"]: one for one in told["failing"]}
    assert {index: one["code"] for index, one in failing.items()} == {
        2: "robots_disallowed",
        7: "blocked_address",
        8: "blocked_address",
        9: "blocked_address",
        10: "dns_not_found",
        11: "rate_limited",
    }
    assert told["failing_by_code"] == {
        "blocked_address": 3, "dns_not_found": 1, "rate_limited": 1, "robots_disallowed": 1,
    }  # fmt: skip
    assert failing[2]["custom_id"] == "7"
    assert failing[2]["reason"].endswith("a.example/robots.txt disallows this path: Disallow: /private*")
    assert "port 22" in failing[8]["reason"]
    # What is left: a page of a.example twice, b.example whose rules are another agent's, and two that nobody has asked.
    assert told["robots"] == {"mode": "obey", "allowed": 2, "disallowed": 1, "unknown": 3, "unknown_hosts": 2}
    first = told["hosts"]["largest"][0]
    assert (first["host"], first["items"], first["urls"], first["crawl_delay"]) == ("a.example", 3, 1, 2.0)
    assert first["interval"] == 2.0
    assert first["robots_known"] is True
    assert told["hosts"]["total"] == 8
    (later,) = [host for host in told["hosts"]["largest"] if host["host"] == "later.example"]
    assert 50 < later["pause"] <= 60

    # What is asked for in another way is another request, for the same URL.
    items = [{"url": "https://c.example/"}, {"url": "https://c.example/"}]
    items += [
        {**items[0], "headers": {"Cookie": "a=b"}},
        {**items[0], "parser": "@thresher/links", "headers": {"X": "Y: 1"}},
    ]
    asked = await forecast(api, items=[*items, {"url": "https://c.example/", "timeout": -1}])
    assert (asked["counts"]["unique_urls"], asked["counts"]["duplicates"]) == (1, 3)
    assert (asked["hosts"]["largest"][0]["items"], asked["hosts"]["largest"][0]["urls"]) == (4, 3)
    assert [one["code"] for one in asked["refused"]] == ["invalid_timeout"]

    strange = [
        "x",
        "https://a.example/",
        "https://me:secret@a.example/@",
        "http:\\\\me:secret@a.example",
        "http:me:secret@a.example",
    ]
    refused_urls = [(one["index"], one["url"]) for one in (await forecast(api, urls=strange))["refused"]]
    assert refused_urls[:2] == [(0, "x"), (2, "https://…@a.example/@")]
    assert [index for index, _ in refused_urls] == [0, 2, 3, 4]
    assert "secret" not in str(refused_urls)
    reported = await forecast(api, urls=["https://a.example/private/1"], robots="report")
    assert (reported["failing"], reported["robots"]["disallowed"], reported["accepted"]) == ([], 1, True)
    ignored = await forecast(api, urls=["https://a.example/private/1"], robots="ignore")
    assert ignored["robots"] == {"mode": "ignore"} | dict.fromkeys(
        ("allowed", "disallowed", "unknown", "unknown_hosts")
    )
    assert (ignored["failing"], ignored["hosts"]["largest"][0]["interval"]) == ([], 0.0)


async def test_a_forecast_writes_nothing_uses_no_key_up_and_waits_for_no_lock_of_a_create(
    api: Api, pool: Pool, stranger: str
) -> None:
    headers = {"Authorization": f"Bearer {stranger}", "Idempotency-Key": "k"}
    account = await pool.fetchval("SELECT id FROM account WHERE name = 'stranger'")
    async with pool.acquire() as connection:
        await ledger.grant(connection, account, 3)
        before = await everything(pool)
        async with connection.transaction():
            await connection.execute("SELECT FROM account FOR UPDATE")
            await connection.execute("LOCK TABLE shard, item, batch, batch_progress, ledger IN EXCLUSIVE MODE")
            body = {"urls": [f"https://a.example/{n}" for n in range(2)], "parser": "@thresher/article"}
            told = await api.client.post("/v1/batches?dry_run=1", json=body, headers=headers)
    assert told.json()["credits"] == {"most": 2, "most_usd": 0.0, "available": 3, "sufficient": True}
    assert told.json()["accepted"] is True
    assert await everything(pool) == before
    made = await api.client.post("/v1/batches", json=body, headers=headers)
    assert (made.status_code, "Idempotent-Replayed" in made.headers) == (200, False)
    assert made.json()["object"] == "batch"
    again = (await api.client.post("/v1/batches?dry_run=true", json=body, headers=headers)).json()
    assert again["credits"] == {"most": 2, "most_usd": 0.0, "available": 1, "sufficient": False}
    assert (again["accepted"], again["refused"]) == (False, [])


async def test_what_is_wrong_with_the_body_is_a_400_and_a_body_may_have_the_items_of_several_requests(
    api_settings: Settings,
) -> None:
    settings = settings_for(
        str(api_settings.database_url), api_settings.data_dir, max_items=5, max_batch_items=303,
        connect_to=("*:80=127.0.0.1:8080", "*:443=10.0.0.1:443"), fetch_allow=("127.0.0.0/8",),
    )  # fmt: skip
    async with running(settings) as api:
        for body in (b"{", b"{}", b'{"items": 1}', b'{"items": []}', b'{"urls": ["http://a.example"], "robots": 1}'):
            problem = await api.client.post("/v1/batches?dry_run=true", content=body)
            assert (problem.status_code, problem.json()["code"]) == (400, "validation_error"), body
        unknown = {"urls": ["http://a.example/"], "compare_with": "batch_aaaaaaaaaaaa"}
        assert (await api.client.post("/v1/batches?dry_run=true", json=unknown)).status_code == 400
        assert (await api.client.post("/v1/batches?dry_run=yes", json={})).json()[
            "detail"
        ] == "dry_run must be true or false"

        many = await forecast(api, urls=["http://a.example/"] * 101 + ["https://b.example/"] * 101 + ["x"] * 101)
        assert (many["counts"]["total"], many["counts"]["refused"], many["counts"]["failing"]) == (202 + 101, 101, 101)
        assert [one["index"] for one in many["refused"]] == list(range(202, 302)), "the first hundred"
        assert [one["index"] for one in many["failing"]] == list(range(101, 201)), "where a connection goes is judged"
        opened = await forecast(api, open=True)
        assert (opened["accepted"], opened["counts"]["total"], opened["duration"]["seconds"]) == (True, 0, 0.0)
        none = await api.client.post("/v1/batches?dry_run=true", json={"urls": ["http://a.example/"] * 304})
        assert none.json()["detail"] == "urls: 304 items; the limit of one request is 303"


async def test_the_duration_is_made_of_what_was_measured_of_the_slowest_host_and_of_the_queue(
    api: Api, pool: Pool, stranger: str
) -> None:
    urls = [f"https://h{n % 4}.example/{n}" for n in range(8)]
    nothing = (await forecast(api, urls=urls))["duration"]
    assert (nothing["seconds"], nothing["measured"], nothing["slowest_host"]) == (None, None, None)
    assert nothing["reason"].startswith("No batch has finished lately")

    # A batch of 8 items that took 4 seconds, at half a second a page: of another account, then of one's own.
    worker = Worker(pool, Blobs(api.settings.packs_url), attempts=[{"seconds": 9.0}, {"code": "ok", "seconds": 0.5}])
    other = await api.client.post("/v1/batches", json={"urls": urls}, headers={"Authorization": f"Bearer {stranger}"})
    await worker.work()
    assert other.status_code == 200
    await pool.execute("UPDATE batch_progress SET started_at = finished_at - interval '4 seconds'")
    told = (await forecast(api, urls=[*urls, urls[0]]))["duration"]
    assert told["measured"] == {"of": "cluster", "batches": 1, "items_per_second": 2.0, "seconds_per_page": 0.5}
    assert (told["seconds"], told["reason"], told["within_timeout"]) == (4.0, None, True), "8 URLs at 2 a second"
    assert told["server"] == {"seconds": 4.0, "urls": 8, "before": 0}
    assert (await forecast(api, urls=urls * 3))["duration"]["measured"] is None, "8 items measure no batch of 24"

    # Its slowest host is asked every 3 seconds, and two items of another batch are before it there.
    await remember(pool, "https://h1.example", b"User-agent: *\nCrawl-delay: 3\n")
    await api.create("https://h1.example/x", "https://h1.example/y")
    told = (await forecast(api, urls=urls, timeout=5))["duration"]
    slowest = {
        "host": "h1.example",
        "urls": 2,
        "before": 2,
        "pause": 0.0,
        "interval": 3.0,
        "seconds": 9.5,
        "seconds_per_page": 0.5,
    }
    assert told["slowest_host"] == slowest, "3 intervals and a page"
    assert told["server"] == {"seconds": 5.0, "urls": 8, "before": 2}
    assert (told["seconds"], told["within_timeout"]) == (9.5, False)

    # Pages of a host measure that host, if there are three of them in batches of one's own.
    await api.create("https://h1.example/z")
    await Worker(pool, worker.blobs, attempts=[{"seconds": 2.5}]).work()
    await api.create(*(f"https://h{n}.example/z" for n in range(2, 5)))
    await worker.work()
    await pool.execute("UPDATE batch_progress SET started_at = finished_at - interval '1 second' WHERE total < 8")
    own = [(await forecast(api, urls=[f"https://h{n}.example/1"] * 2))["duration"] for n in (1, 2)]
    assert own[0]["measured"] == {"of": "account", "batches": 3, "items_per_second": 3.0, "seconds_per_page": 1.5}
    assert [duration["slowest_host"]["seconds_per_page"] for duration in own] == [2.5, 1.5]
    assert [duration["seconds"] for duration in own] == [2.5, 1.5]
