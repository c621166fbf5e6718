"""`retry` and `explain` against a server."""

import json

import pytest
from tests.acceptance.served import Served
from tests.cli.kit import Cli
from tests.support.origin import Origin

pytestmark = pytest.mark.asyncio(loop_scope="session")

HELD, GONE = "http://b.example/hold/r", "http://a.example/status/404/r"


async def test_what_failed_is_retried_and_what_became_of_an_item_is_told(
    cli: Cli, server: Served, origin: Origin
) -> None:
    batch = (await server.http.post("/v1/batches", json={"urls": [HELD, GONE]})).json()["id"]
    await server.http.post(f"/v1/batches/{batch}/cancel")
    await server.until_completed(batch)
    origin.release.set()
    again = await cli.run("retry", batch, "-o", "again.jsonl")
    origin.release.clear()
    assert again.code == 3, again.err
    assert f"2 items of {batch} again" in again.err
    lines = [json.loads(line) for line in (cli.folder / "again.jsonl").read_text().splitlines()]
    assert [(line["url"], line["status"]) for line in lines] == [(HELD, "completed"), (GONE, "failed")]
    made = (await server.http.get("/v1/batches/recent", params={"limit": 1})).json()["data"][0]
    assert made["retry_of"] == batch
    merged = await cli.run("results", batch, "--merged", "-o", "merged.jsonl")
    assert merged.code == 3, merged.err
    assert "2 items: 1 completed, 1 failed. Errors: 1 http_4xx. 2 lines are in merged.jsonl" in merged.err
    assert [json.loads(line) for line in (cli.folder / "merged.jsonl").read_text().splitlines()] == lines
    assert (await cli.run("results", batch, "--merged", "--stream")).code == 2
    applied = await cli.run(
        "apply", made["id"], "--parser", "@thresher/links", "--content", "main", "-o", "links.jsonl"
    )
    assert applied.code == 0, applied.err
    assert f"1 stored pages of {made['id']}; of 1 no page is stored" in applied.err
    [line] = [json.loads(line) for line in (cli.folder / "links.jsonl").read_text().splitlines()]
    assert (line["reused"], len(json.loads(line["json"])["links"])) == (lines[0]["retrieve_id"], 2)
    source = cli.folder / "again.txt"
    source.write_text(HELD)
    stored = await cli.run("batch", str(source), "--max-age", "600", "-o", "stored.jsonl")
    assert json.loads((cli.folder / "stored.jsonl").read_text())["reused"] == lines[0]["retrieve_id"], stored.err
    nothing = await cli.run("retry", made["id"], "--code", "tls_error,dns_failed")
    assert nothing.code == 1
    assert "no item of the batch has failed with dns_failed, tls_error." in nothing.err

    good, bad = [line["retrieve_id"] for line in lines]
    shown = (await cli.run("explain", bad)).out
    for part in (f"{bad} (", "): failed, http_4xx", f"of {made['id']}", "#1 dns", "#1 first_byte", "#1 failed"):
        assert part in shown, shown
    assert f"What to do: Check {GONE}: a.example has no such page (404)." in shown
    page = json.loads((await cli.run("explain", good, "--json")).out)
    steps = {step["what"] for step in page["timeline"]}
    assert steps == {"started", "queue", "robots", "dns", "connect", "first_byte", "body", "convert", "done", "settled"}
    assert (page["status"], page["remedy"], page["code"]) == ("completed", None, None)
